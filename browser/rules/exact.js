/* Exact fractions: new Fraction(1n, 3n).plus(new Fraction(1n, 6n)) is 1/2. Always in lowest terms, denominator above zero. */

export class Fraction {
  constructor(numerator, denominator = 1n) {
    const shared = common(numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator);
    const sign = denominator < 0n ? -1n : 1n;
    this.n = (sign * numerator) / shared;
    this.d = (sign * denominator) / shared;
  }

  /** Of plain digits with at most one point: "12", "1.5", ".5". */
  static of(text) {
    const [whole, decimals = ""] = text.split(".");
    return new Fraction(BigInt(whole + decimals || "0"), 10n ** BigInt(decimals.length));
  }

  plus(other) {
    return new Fraction(this.n * other.d + other.n * this.d, this.d * other.d);
  }

  minus(other) {
    return new Fraction(this.n * other.d - other.n * this.d, this.d * other.d);
  }

  times(other) {
    return new Fraction(this.n * other.n, this.d * other.d);
  }

  /** Throws RangeError where `other` is zero: whoever divides asks first. */
  over(other) {
    if (other.n === 0n) throw new RangeError("division by zero");
    return new Fraction(this.n * other.d, this.d * other.n);
  }

  /** To a whole power, negative ones included. */
  power(exponent) {
    const size = exponent < 0n ? -exponent : exponent;
    const [top, bottom] = exponent < 0n ? [this.d, this.n] : [this.n, this.d];
    return new Fraction(top ** size, bottom ** size);
  }

  negated() {
    return new Fraction(-this.n, this.d);
  }

  size() {
    return this.n < 0n ? this.negated() : this;
  }

  equals(other) {
    return this.n === other.n && this.d === other.d;
  }

  isBelow(other) {
    return this.n * other.d < other.n * this.d;
  }

  isWhole() {
    return this.d === 1n;
  }
}

export const whole = (number) => new Fraction(BigInt(number));

function common(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}
