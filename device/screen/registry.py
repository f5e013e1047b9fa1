"""Every page of the screen, a line each.

A page is drawn and moved through by the module of its name in `device.screen.pages`
(`device.screen.pages.base.page_class`).
"""

from enum import StrEnum


class PageName(StrEnum):
    """A page, by the name of its module."""

    LIVE = "live"
    COMPARE = "compare"
    SETTINGS = "settings"
    ABOUT = "about"
    MEASURES = "measures"
    CALIBRATION = "calibration"
    SELFTEST = "selftest"
    MODELS = "models"
    POWER = "power"
    FAULT = "fault"
    LIMITS = "limits"
    START = "start"
    FOUND = "found"
    SCHEDULED = "scheduled"
    PATIENT = "patient"
    DETAILS = "details"
    DELETION = "deletion"
    LESION = "lesion"
    SPOT = "spot"
    PICTURE = "picture"
    FOLLOW_UP = "followup"
    DECISION = "decision"
    NOTE = "note"
    KEYBOARD = "keyboard"
    WORKLIST = "worklist"
    PIN = "pin"
    HOLDERS = "holders"
    HOLDER = "holder"
    NEW_PIN = "newpin"
