"""Does a certificate hold? A checker that shares no code with the collapse that it checks."""

from unbend.verify.verify import Verification, verify

__all__ = ["Verification", "verify"]
