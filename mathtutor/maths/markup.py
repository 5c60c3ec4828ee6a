r"""``without_markup(r"**\frac{1}{2} \times 50** = 25")`` is ``"(1/2) * 50 = 25"``, and where each character stood.

LaTeX, bold and <<annotations>> are rewritten into plain arithmetic before anything looks for equations. Whoever reads
the plain text needs places in the text that the child sees; hence the map back.
"""

from __future__ import annotations

import re

from mathtutor.maths.arithmetic import plain

_MARKUP = re.compile(
    r"""
      (?P<note><<[^<>\n]{0,200}>>)           # repeats the equation around it: find_claims reads it on its own
    | \\[dt]?frac\s?\{(?P<above>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
               \s?\{(?P<below>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
    | \\(?:text|mathrm|mathbf|textbf)\s?\{(?P<words>[^{}\n]{0,80})\}
    | (?P<power>(?<=[\d)])(?:\*\*(?=[\d(-])|[ ]\*\*[ ](?=[\d(-])))    # 2**3, before ** can be bold
    | (?P<sign>\\times|\\cdot|\\div|\\approx|\\[$%]|\{,\})
    | (?P<unreadable>\\(?:sqrt|log|ln|sin|cos|tan|binom|sum|prod|pi|pm|[bp]?mod)(?![A-Za-z]))
    | (?P<gone>\*\*|\\[,;:!]|\\(?:left|right|boxed)(?![A-Za-z])|[{}`])
    | (?P<space>\\[()\[\] ]|\$\$|\\[A-Za-z]+|\\\\)                      # last: any other command
    """,
    re.VERBOSE,
)
_SIGNS = {"\\times": "*", "\\cdot": "*", "\\div": "÷", "\\approx": "≈", "\\$": "$", "\\%": "%", "{,}": ","}
_HINTS_OF_MARKUP = ("\\", "<<", "**", "$$", "`", "{", "}")


_PRINTED = re.compile(r"(?<=[\d)%$])\*(?=[\d($])|(?<=[\w)%$] )\*(?= [\d($])|(?<=[\d)%] )[/-](?= [\d($])")
_PRINTS = {"*": "×", "/": "÷", "-": "−"}


def as_printed(text: str) -> str:
    """ "6 * 2 - 3" as a school book prints it, "6 × 2 − 3": one character for each, so that places stay; 3/4 stays a fraction."""
    return _PRINTED.sub(lambda match: _PRINTS[match[0]], text)


def without_markup(text: str) -> tuple[str, list[int] | None]:
    """The text without markup, and the original place of each of its characters (None: nothing moved)."""
    text = plain(text)
    if not any(mark in text for mark in _HINTS_OF_MARKUP):
        return text, None
    rewriter = _Rewriter(text)
    rewriter.rewrite(0, len(text))
    return "".join(rewriter.pieces), rewriter.origin


class _Rewriter:
    def __init__(self, text: str):
        self.text = text
        self.pieces: list[str] = []
        self.origin: list[int] = []

    def put(self, piece: str, at: int) -> None:
        """Write something new, which stands for what was at this place."""
        self.pieces.append(piece)
        self.origin.extend([at] * len(piece))

    def keep(self, first: int, last: int) -> None:
        self.pieces.append(self.text[first:last])
        self.origin.extend(range(first, last))

    def rewrite(self, start: int, end: int) -> None:
        at = start
        for match in _MARKUP.finditer(self.text, start, end):
            self.keep(at, match.start())
            at = match.end()
            if match["above"]:
                self.fraction(match)
            elif match["words"]:
                self.put(" ", match.start())
                self.keep(*match.span("words"))
                self.put(" ", at - 1)
            elif match["power"]:
                self.put("^", match.start())
            elif match["sign"]:
                self.put(_SIGNS[match["sign"]], match.start())
            elif match["unreadable"]:
                self.put("√" if match["unreadable"] == "\\sqrt" else "∘", match.start())
            elif match["space"]:
                self.put(" ", match.start())
        self.keep(at, end)

    def fraction(self, match: re.Match[str]) -> None:
        r"""\frac{1}{2} is (1/2), \frac{8 + 2}{2} is ((8 + 2)/(2)), and 3\frac{1}{2} is 3 1/2, a mixed number."""
        numbers = (match["above"] + match["below"]).isdigit()
        mixed = numbers and match.start() > 0 and self.text[match.start() - 1].isdigit()
        self.put(" " if mixed else "(" if numbers else "((", match.start())
        self.rewrite(*match.span("above"))
        self.put("/" if numbers else ")/(", match.end("above"))
        self.rewrite(*match.span("below"))
        self.put("" if mixed else ")" if numbers else "))", match.end() - 1)
