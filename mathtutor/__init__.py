"""Show Your Work: the shared package. Its words, used everywhere with one meaning each.

problem     what the student typed: "Ana has 3 apples and buys 4 more. How many has she now?"
reply       all that the model wrote, `<think>` and all
reasoning   the part of the reply inside `<think> ... </think>`
step        one line of the reasoning: "Step 1: Ana has 3 + 4 = 7 apples."
claim       one equation inside a step: `3 + 4 = 7`
answer      a number, always an exact `fractions.Fraction`
verdict     what we concluded about a reply: its answer, its steps' checks, right or wrong
row         one line of a data set file
family      one kind of problem in the bank; an *instance* of it is one problem with its steps
engine      whatever turns a conversation into a reply: a local model, a server, a script

`mathtutor` imports none of `app.py`, `ui/`, `pipeline/`, `training/`, `eval/`; they import it and
meet each other only in files.
"""
