"""For test_tune_resume.py: runs of training.tune in processes of their own, which share one import of the libraries.

    python -m tests.tune_runs kills FOLDER RECIPE     an unbroken run, and one that is killed three times
    torchrun ... -m tests.tune_runs pair FOLDER       two processes train together
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("MATHTUTOR_DATA", None)
FOLDER = Path(__file__).resolve().parents[1] / "training" / "recipes"


def command(name: str, out: Path, *more: str) -> list[str]:
    return ["--recipe", str(FOLDER / f"{name}.yaml"), "--shrink", "--out", str(out), "--device", "cpu", "--threads", "1",
            "--set", "watch.samples=0", "--set", "watch.tensorboard=false", "--set", "watch.check_every=2", *more]  # fmt: skip


def in_child(run) -> int:
    """Status of a child process that does `run`: 0, or -9 when it was killed."""
    if (pid := os.fork()) == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kills(root: Path, name: str) -> None:
    from tests.dying import countdown, dying
    from training import tune
    from training.tuning import trainer, watch

    def killed_at(what: str, n: int):
        def run():
            countdown.left = n
            if what == "step":
                watch.Watch.on_step_end = dying(watch.Watch.on_step_end)
            else:  # the n-th checkpoint is written and not yet in its place
                trainer.replace_folder = dying(trainer.replace_folder)
            tune.main(command(name, root / "killed"))

        return run

    assert in_child(lambda: tune.main(command(name, root / "unbroken"))) == 0
    for what, n in (("save", 1), ("step", 3), ("save", 2), ("step", 1)):
        assert in_child(killed_at(what, n)) == -signal.SIGKILL, (what, n)
    assert in_child(lambda: tune.main(command(name, root / "killed"))) == 0


def pair(root: Path) -> None:
    from training import tune

    name = "qwen3-0.6b-full-better"
    tune.main(command(name, root / "pair"))
    tune.main(command(name, root / "one-then-two"))
    tune.main(command(name, root / "two-then-one", "--minutes", "0.0001"))


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    import peft.tuners.lora.bnb  # noqa: F401
    import trl  # noqa: F401
    from trl import SFTTrainer  # noqa: F401

    from training import tune  # noqa: F401
    from training.tuning import audit, shrink, trainer, watch  # noqa: F401

    gc.freeze()  # a run collects garbage several times
    if sys.argv[1] == "kills":
        kills(Path(sys.argv[2]), sys.argv[3])
    else:
        pair(Path(sys.argv[2]))
