"""The page: layout and wiring only. Every decision is asked of `mathtutor`.

Gradio reads these variables when it is first imported, so they stand before anything imports it.
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000")  # else a data frame after every event
