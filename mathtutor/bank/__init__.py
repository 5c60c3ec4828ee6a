"""The bank of word problems: families in `assets/bank/*.yaml`, instances by (seed, index)."""

from mathtutor.bank.families import BankError, Family, Instance, Mistake, is_held_out, load_bank, split_of

__all__ = ["BankError", "Family", "Instance", "Mistake", "is_held_out", "load_bank", "split_of"]
