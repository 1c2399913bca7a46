"""How much a pod takes on at once, and who goes first when it is too much."""

from app.overload.gate import Gate, Overloaded
from app.overload.urgency import Urgency

__all__ = ["Gate", "Overloaded", "Urgency"]
