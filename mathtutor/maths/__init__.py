"""Text in, exact verdicts out: ``"12 / 60 = 0.2"`` becomes two equal Fractions, never two floats.

arithmetic   the exact value of an expression, by a small parser of our own
answers      the number a reply (or a student) gives as its answer
steps        the lines of a reasoning, and the equations inside them
checks       which of those equations hold: the one judge that everybody calls

Standard library only. No function here raises on text that a model or a student wrote: it returns a reason.
"""
