"""Proofs graded from 0 to 7, and answers that no reading settles, by any judge: `python -m eval.grade`.

    sources   the proofs to be graded: of a run, or a file; controls whose grade is known
    prompts   what a judge is told, data in prompts.yaml
    marks     the points or the verdict in what a judge wrote
    judges    Anthropic and OpenAI-compatible servers through their own SDKs; prices.yaml
    grading   the journal: asks what is missing, within a budget
    votes     figures of the grades: score, noise between graders, agreement with people
"""
