"""Text in, exact verdicts out: ``"12 / 60 = 0.2"`` becomes two equal Fractions, never two floats.

arithmetic   the exact value of an expression, by a small parser of our own
answers      the number a reply (or a student) gives as its answer; it stands on
                 numerals (one written number) and readings (what published scorers read)
claims       the equations inside a sentence; it stands on
                 markup (LaTeX away), tokens (words and signs), runs (one side) and folding (tokens into runs)
steps        the lines of a reasoning, whole or still growing
checks       which of those equations hold: the one judge that everybody calls

Standard library only. No function here raises on text that a model or a student wrote: it returns a reason.
"""
