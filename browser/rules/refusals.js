/* What was read as an answer, {value, rule, cutOff, text, refusal}, or the reason why nothing was. As mathtutor/maths/refusals.py. */

export const answer = (value, rule, more = {}) => ({ value, rule, cutOff: false, text: "", refusal: null, ...more });

export const NO_NUMBER = "no number";
export const EMPTY = "empty";
export const LONG = "too long";
export const CUT_OFF = "cut off before the answer";
export const TWO_ANSWERS = "two different answers";
export const RANGE = "a range or a subtraction, not one number";
export const CALCULATION = "a calculation, not its result";
export const NOT_FINITE = "not a finite number";
export const ZERO_DIVISION = "division by zero";
export const SEPARATORS = "unclear comma or point";
export const DIGITS = "too many digits";
export const EXPONENT = "exponent too large";
export const COMPOUND = "compound units, not one number";
export const CLOCK = "a time of day, not a number";
export const DATE = "a date, not a number";
