"""Operators: take the templated arguments, call, push the result, then raise."""
