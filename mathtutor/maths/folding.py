"""Tokens into runs: in "48 clips in 2 boxes * 3" the runs are 48 and 2 * 3.

Between two marks (an equals sign, a comma, the end of a sentence) values and operators alternate and words are passed
over. Two values with no operator between them end one run and begin the next. So of the runs before an equals sign
the last is its left side, and of those after it the first is its right side.

Most of the rules below decide what a sentence leaves open: is this word a unit or a variable, this bracket a factor or
a remark, this dash a sign or a subtraction? Where nothing decides, a name is put into the run, which makes the side
one that has no value: better to check nothing than to call a right line wrong. So it is with words that change a
value and are not read: "half of 20 + 5", "2 dozen + 5" and "10 mod 3 + 1" keep their words.
"""

from __future__ import annotations

from bisect import bisect_left

from mathtutor.maths.arithmetic import VULGAR
from mathtutor.maths.runs import COINS, Run, unit_kind
from mathtutor.maths.tokens import Token

MAX_GAP = 12  # words between a value and the operator or equals sign that still belongs to it
KEPT_LEAD = 6  # words before a run that are remembered

_OPERAND_STARTS = ("number", "vulgar", "(", "$")
_OPERATORS = {"**": "^", "÷": "/"}
_OPERATOR_WORDS = {"times": "*", "plus": "+", "minus": "-", "x": "*"}
_UNIT_LETTERS = set("mglLhskKMcCF")  # 5m and 3g may be metres and grams, or variables
_ARTICLES = {"a", "A", "I"}  # words, unless an operator stands beside them
_BREAKS = set("because so then thus therefore since which if when while but gives means".split())
_BEFORE_A_SIGN = set("to is was are be at from by and or".split())
_DETERMINERS = set("the these those his her their its my our all this that a an".split())

# Words that are a number, or make another of the one beside them.
_SCALES = set(
    "dozen dozens hundred hundreds thousand thousands million millions billion billions trillion".split()
)
_SHARES = set(
    "half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth "
    "eighths ninth ninths tenth tenths".split()
)
_NUMBER_WORDS = _SCALES | _SHARES | set(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety ones tens "
    "twice thrice double doubled triple tripled quadruple halved squared cubed sqrt root mod modulo factorial "
    "remainder".split()
)  # fmt: skip
# "The blue ones number 113 - 46" counts no ones.
_OPERATES_BEFORE = (_NUMBER_WORDS | set("times plus minus negative".split())) - {"one", "ones"}
_JOINED = _DETERMINERS | set(
    "of as many much sum total difference product quotient result value number".split()
)
_PER = set("per each every / a an".split())


def fold(tokens: list[Token], first: int, last: int) -> list[Run]:
    """The runs of tokens[first:last], which holds neither an equals sign nor a stop."""
    return _Fold(tokens, first, last).runs


class _Fold:
    def __init__(self, tokens: list[Token], first: int, last: int):
        self.tokens, self.at, self.last = tokens, first, last  # at: the token after the one being read
        self.first = first
        self.runs: list[Run] = []
        self.run = Run()
        self.lead: list[str] = []  # the last words since the mark
        self.previous: Token | None = None
        self.spaced_slash = False  # the last operator was a division with space around it
        self.remarks: set[int] = set()  # places of tokens inside brackets that were passed over
        while self.at < last:
            token = tokens[self.at]
            self.at += 1
            _READERS[token.kind](self, token)
            self.previous = token
        self.close()

    def close(self) -> None:
        if self.run.parts:
            self.keep_words_that_calculate()
            self.runs.append(self.run)
        self.run = Run(lead=self.lead)

    # --- words that change a value ---

    def keep_words_that_calculate(self) -> None:
        """Take into the run what makes another number of it: "half of" before, "dozen" inside, "and a half" after."""
        run = self.run
        first = self.token_at(run.start)
        after = self.token_at(run.end)
        words = [
            self.tokens[at]
            for at in range(first, after)
            if at not in self.remarks and (self.calculates(at) or self.tokens[at].kind == "unknown")
        ]
        words += [
            token for token in (self.word_before(first), self.word_after(after), self.second_unit()) if token
        ]
        for token in words:
            run.doubt(token.text, token)
        if not words and {"more", "less", "fewer"} & {word.lower() for word in run.lead[-2:-1]} and self.runs:
            run.cut = run.cut or run.lead[-1].lower() == "than"  # 5 more than 3 * 4

    def token_at(self, place: int) -> int:
        """The first token that starts here or later in the text."""
        return bisect_left(self.tokens, place, self.first, self.last, key=lambda token: token.start)

    def calculates(self, at: int, words: set[str] = _NUMBER_WORDS) -> bool:
        token = self.tokens[at]
        lower = token.text.lower()
        if token.kind != "word":
            return False
        if (
            lower in COINS and words is _NUMBER_WORDS
        ):  # "36 quarters" counts them; a sum of coins may mean their worth
            return self.run.has_operator and token.text != "Penny"
        if lower not in words and not is_rest(token):
            return False
        if lower not in _SCALES or at == 0 or self.tokens[at - 1].text.lower() not in _PER:
            return True
        # $3 a dozen, 12 per dozen: a unit; but "and a dozen" is 12
        return self.tokens[at - 1].text in ("a", "an") and (
            at < 2 or self.tokens[at - 2].text.lower() == "and"
        )

    def word_before(self, first: int) -> Token | None:
        """The "twice" of "twice the 7 + 1"; a bracket that closes behind the mark is a remark: half (48 / 2 = 24)."""
        for at in range(first - 1, max(self.first, first - 8) - 1, -1):
            token = self.tokens[at]
            if token.kind == "unknown":
                return token
            if token.kind not in ("word", "$"):
                return None
            if token.kind == "word" and self.calculates(at, _OPERATES_BEFORE):
                return None if self.run.open_brackets() > 0 else token
            lower = token.text.lower()
            if lower == "by" and at and self.tokens[at - 1].text.lower() in ("divided", "multiplied"):
                return token
            if token.kind == "word" and lower not in _JOINED:
                return None
        return None

    def word_after(self, after: int) -> Token | None:
        """The "dozen" of "5 + 2 dozen", the half of "5 and a half", the remainder that no number follows."""
        if after >= self.last:
            return None
        token = self.tokens[after]
        if token.kind == "unknown":
            return token
        if token.kind != "word":
            return None
        if token.text.lower() == "and":
            counts = 0
            while counts < 2 and after + 1 + counts < self.last:
                word = self.tokens[after + 1 + counts].text.lower()
                if word in _SHARES:
                    return self.tokens[after + 1 + counts]
                if word not in _NUMBER_WORDS and word not in ("a", "an"):
                    break
                counts += 1
            return None
        if token.text.lower() == "remainder" or is_rest(token):
            names_rest = is_rest(token) or any(
                word.kind == "number" for word in self.tokens[after : self.last]
            )
            return None if names_rest else token
        return token if self.calculates(after) else None

    def second_unit(self) -> Token | None:
        """The mm of "5 cm + 3 mm": two units of one kind in a sum."""
        if not self.run.is_sum or not self.run.has_operator:
            return None
        seen: dict[str, str] = {}
        for part in self.run.parts:
            if part.kind != "value":
                continue
            at = self.token_at(part.start)
            behind = self.token_at(part.end)
            token = self.tokens[behind] if behind < self.last else None
            if at > 0 and self.tokens[at - 1].kind == "$":
                token = self.tokens[at - 1]
            unit = unit_kind(_unit_of(token)) if token is not None and token.kind in ("word", "$") else None
            if unit and seen.setdefault(*unit) != unit[1]:
                return token
        return None

    # --- looking ahead ---

    def peek(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < self.last else None

    def value_within(self, words: int) -> bool:
        """Does a value follow, at most this many words on?"""
        for ahead in range(words + 1):
            token = self.peek(ahead)
            if token is not None and token.kind == "$":
                token = self.peek(ahead + 1)
            if token is None or token.kind != "word" or token.text.lower() in _BREAKS:
                return token is not None and token.kind in _OPERAND_STARTS
        return False

    def before_operator(self) -> bool:
        """Does an operator follow, a closing bracket, or the equals sign that ends these tokens?"""
        following = self.peek()
        if following is None:
            return self.at < len(self.tokens) and self.tokens[self.at].kind == "="
        return following.kind in ("op", ")")

    # --- values ---

    def read_number(self, token: Token) -> None:
        if not self.run.wants_value():
            if self.completes_mixed(token):
                return
            self.next_to_value()
        below = self.fraction_below(token)
        if below is not None and self.spaced_slash and self.run.parts and self.run.parts[-1].text == "/":
            self.at += 2  # 60 / 3/4 divides by three quarters
            self.run.add("value", f"{token.text}/{below.text}", Token("number", "", token.start, below.end))
        else:
            self.run.add("value", token.text, token)

    def next_to_value(self) -> None:
        """A value follows a value. With no word between, as in "1/2 (68) + 10", they may mean a product."""
        adjacent = self.run.gap == 0
        self.close()
        self.run.cut = adjacent

    def fraction_below(self, above: Token) -> Token | None:
        """The 4 of a tightly written 3/4."""
        slash, below = self.peek(), self.peek(1)
        if slash is None or below is None or slash.text != "/" or below.kind != "number":
            return None
        return below if above.end == slash.start and slash.end == below.start else None

    def completes_mixed(self, token: Token) -> bool:
        """2 1/2 and "1 and 1/4": a whole number, then a tight fraction below one."""
        kind, whole, start, _ = self.run.parts[-1]
        below = self.fraction_below(token)
        if kind != "value" or below is None or not (whole + token.text + below.text).isdigit():
            return False
        if self.run.gap and not (self.run.gap == 1 and "and" in self.run.units[-2:]):
            return False
        following = self.peek(2)
        if self.run.gap and following is not None and following.text == "of":  # 25 and 1/2 of 50
            return False
        if (len(token.text), token.text) >= (len(below.text), below.text):  # 5/4, compared as digits
            return False
        self.at += 2
        self.run.parts.pop()
        self.run.add("value", f"({whole} {token.text}/{below.text})", Token("number", "", start, below.end))
        return True

    def read_vulgar(self, token: Token) -> None:
        text = VULGAR[token.text]
        if not self.run.wants_value():
            kind, whole, start, end = self.run.parts[-1]
            if kind == "value" and whole.isdigit() and token.start - end <= 1:  # 2½
                self.run.parts.pop()
                self.run.add("value", f"({whole} {text})", Token("number", "", start, token.end))
                return
            self.close()
        self.run.add("value", text, token)

    def read_currency(self, token: Token) -> None:
        self.run.units.append(_unit_of(token))

    def read_percent(self, token: Token) -> None:
        if not self.run.wants_value() and self.run.gap == 0:
            self.run.add("%", "%", token)

    def read_name(self, token: Token) -> None:
        if not self.run.wants_value():
            self.close()
        self.run.add("name", token.text, token)

    def variable(self, token: Token) -> None:
        if not self.run.wants_value() and self.run.end < token.start:  # unlike 3x
            self.close()
        self.run.add("name", token.text, token)

    # --- brackets ---

    def read_open(self, token: Token) -> None:
        inside = self.inside_bracket()
        factor = not self.run.wants_value() and self.run.end == token.start  # 4(
        # Words first: "4(number of tickets)" is a product without a value, "(who has 5 oranges)" a remark.
        if inside and inside[0].kind == "word" and len(inside[0].text) > 1:
            if factor:
                self.run.add("op", "*", token)
                self.run.add("name", inside[0].text, inside[0])
            if factor or not self.run.wants_value() or all(part.kind == "word" for part in inside):
                self.run.units += [part.text for part in inside if part.kind == "word"]
                self.remarks.update(range(self.at, self.at + len(inside) + 1))
                self.at += len(inside) + 1
                return
        # Then 3(4), 3(x) and 3(-4): they multiply, but "80 (30 + 5)" does not.
        if factor and (self.value_within(0) or (inside and inside[0].kind in ("word", "op"))):
            self.run.add("op", "*", token)
        elif not self.run.wants_value():
            self.next_to_value()
        self.run.add("(", "(", token)

    def inside_bracket(self) -> list[Token]:
        """The tokens up to the matching bracket; [] where it does not close between the two marks, or far away."""
        depth = 1
        for ahead in range(MAX_GAP * 2):
            token = self.peek(ahead)
            if token is None:
                break
            depth += (token.kind == "(") - (token.kind == ")")
            if depth == 0:
                return self.tokens[self.at : self.at + ahead]
        return []

    def read_close(self, token: Token) -> None:
        if not self.run.parts:
            return
        if self.run.wants_value():  # 5 + )
            self.close()
            return
        opened = self.run.open_brackets()
        self.run.add(")", ")", token)
        if not opened:  # "half (48 / 2 = 24)": balance() cuts here
            self.close()

    # --- operators ---

    def read_op(self, token: Token) -> None:
        text = _OPERATORS.get(token.text, token.text)
        if self.belongs_to_unit(text):
            self.at += 1
            return
        if self.begins_negative(token):
            self.close()
        if not self.run.wants_value():
            if self.run.gap > MAX_GAP:  # too far from its value: the word before it must be the operand
                self.close()
                self.variable(self.previous)
            self.run.add("op", text, token)
        elif self.is_sign(token):
            self.run.add("sign", text if text == "-" else "", token)
        else:  # price * 5: a word stands where a value should
            word = token if self.previous is None or self.previous.kind != "word" else self.previous
            self.run.add("name", word.text, word)
            self.run.add("op", text, token)
        self.spaced_slash = token.text == "÷" or (text == "/" and self.has_space_around(token))

    def belongs_to_unit(self, text: str) -> bool:
        """miles/hour, m^2: does this operator join a unit to the word or number that follows?"""
        following = self.peek()
        if following is None:
            return False
        if text == "/" and following.kind == "word" and not self.is_variable(following):
            self.run.units.append("/" + following.text)
            return True
        return text == "^" and self.run.gap > 0 and following.kind == "number"

    def begins_negative(self, token: Token) -> bool:
        """ "it fell from 3 to -6 + 2": a dash after such a word and tight before a value subtracts nothing."""
        following = self.peek()
        return (
            token.text == "-"
            and self.run.gap > 0
            and self.previous.text in _BEFORE_A_SIGN
            and self.previous.end < token.start
            and following is not None
            and following.start == token.end
        )

    def is_sign(self, token: Token) -> bool:
        """Where a value should stand: -5 and + 5 at the beginning, and -5 after an operator, a space or a $."""
        if token.text not in ("+", "-"):
            return False
        following, before = self.peek(), self.previous
        tight = following is not None and following.start == token.end and following.kind in _OPERAND_STARTS
        if tight and (self.run.parts or before is None or before.end < token.start or before.kind == "$"):
            return True
        return not self.run.parts and before is None and self.value_within(0)

    def has_space_around(self, token: Token) -> bool:
        following = self.peek()
        return (self.previous is not None and self.previous.end < token.start) or (
            following is not None and following.start > token.end
        )

    # --- words ---

    def read_word(self, token: Token) -> None:
        lower = token.text.lower()
        # A word that begins another clause comes first: what it ends is complete.
        if lower in _BREAKS and not self.run.wants_value():
            self.word(token)
            self.close()
        elif self.run.wants_value():
            self.word_for_value(token)
        # Then the words that calculate, but only before a value: "3 times" alone is an amount.
        elif lower in _OPERATOR_WORDS and self.value_within(0):
            self.run.add("op", _OPERATOR_WORDS[lower], token)
        elif lower in ("divided", "multiplied") and self.peek() is not None and self.peek().text == "by":
            self.at += 1
            if self.value_within(0):
                self.run.add("op", "/" if lower == "divided" else "*", token)
        elif lower == "of" and self.run.gap == 0 and self.is_share():
            self.of(token)
        # Then single letters, which may be variables. All others are units, or just words.
        elif len(token.text) == 1 and self.run.gap == 0:
            self.letter(token)
        elif len(token.text) == 1 and self.before_operator():
            self.variable(token)
        else:
            self.word(token)

    def word(self, token: Token) -> None:
        self.lead = [*self.lead, token.text][-KEPT_LEAD:]
        self.run.gap += 1
        self.run.units.append(token.text)

    def word_for_value(self, token: Token) -> None:
        if self.run.parts:
            another = len(token.text) > 1 or token.text in _ARTICLES
            if not (another and self.value_within(2)):  # 5 + another 3
                self.variable(token)
        elif len(token.text) == 1 and self.before_operator():
            self.variable(token)
        else:
            self.lead = [*self.lead, token.text][-KEPT_LEAD:]
            self.run.lead = self.lead

    def is_share(self) -> bool:
        """Is the last value a share (25%, 1/2, 0.4), so that "of" multiplies?"""
        kind, text, *_ = self.run.parts[-1]
        return kind in ("%", ")") or "/" in text or text.startswith(("0.", ".")) or self.run.is_tight_fraction

    def of(self, token: Token) -> None:
        """25% of the 80: "of" multiplies when a number follows, and else names a thing."""
        ahead = 0
        while (word := self.peek(ahead)) is not None and word.text.lower() in _DETERMINERS and ahead < 2:
            ahead += 1
        if word is not None and word.kind in _OPERAND_STARTS:
            self.at += ahead
            self.run.of = True
            self.run.add("op", "*", token)
        else:
            self.run.of_thing = True
            self.word(token)

    def letter(self, token: Token) -> None:
        """A letter straight after a value: 3x and 5 t are products; 5m and 5 m may be metres."""
        attached = self.run.end == token.start
        if token.text in _UNIT_LETTERS:
            self.run.letters = self.run.letters or attached
            self.word(token)
        elif attached or self.is_variable(token):
            self.run.add("name", token.text, token)
        elif self.before_operator():
            self.variable(token)
        else:
            self.word(token)

    def is_variable(self, token: Token) -> bool:
        return len(token.text) == 1 and token.text not in _ARTICLES and token.text not in _UNIT_LETTERS

    def read_unknown(self, token: Token) -> None:
        if self.run.wants_value() and self.run.parts:  # 5 + □
            self.variable(token)
        else:
            self.run.gap += 1


def is_rest(token: Token) -> bool:
    """The R1 of "3 R1"."""
    return token.kind == "word" and token.text[0] == "R" and token.text[1:].isdigit()


def _unit_of(token: Token) -> str:
    return ("cent" if token.text == "¢" else "$") if token.kind == "$" else token.text


_READERS = {
    "number": _Fold.read_number, "vulgar": _Fold.read_vulgar, "name": _Fold.read_name, "word": _Fold.read_word,
    "op": _Fold.read_op, "(": _Fold.read_open, ")": _Fold.read_close, "%": _Fold.read_percent,
    "$": _Fold.read_currency, "unknown": _Fold.read_unknown,
}  # fmt: skip
