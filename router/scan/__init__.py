"""What in this text is data about people, money or secrets? `scan_text` answers with findings, in time linear in the text."""

from router.scan.scan import scan_text, warm

__all__ = ["scan_text", "warm"]
