"""What the page says is read off it by ``make test-interop``, with Poppler."""

import re

import msgspec
import numpy as np
import pytest

from device.inference.finding import Finding
from device.interop.referral_page import referral_page
from device.interop.sheet import Paper
from device.language import Language
from device.models.manifest import Manifest
from tests.device.interop.studies import DECISION, SECRETS, examined, without_patient


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("paper", "size"), [(Paper.A4, b"595.28"), (Paper.LETTER, b"612")])
def test_page_is_one_and_of_its_paper_and_always_the_same(
    manifest: Manifest, finding: Finding, language: Language, paper: Paper, size: bytes
) -> None:
    one = examined(manifest, finding, decision=DECISION)
    overlay = np.zeros_like(one.examination.image)
    page = referral_page(one, language, paper, overlay)
    assert page.startswith(b"%PDF-")
    assert pages(page) == 1
    assert b"/MediaBox [ 0 0 " + size in page
    assert page == referral_page(one, language, paper, overlay)


def test_what_is_not_known_is_left_out(manifest: Manifest) -> None:
    page = referral_page(without_patient(examined(manifest)), Language.ENGLISH, Paper.A4)
    assert pages(page) == 1


def test_words_that_do_not_fit_go_on_another_page(manifest: Manifest, finding: Finding) -> None:
    decision = msgspec.structs.replace(DECISION, note="\n".join("x" * 40))
    one = examined(manifest, finding, decision=decision)
    assert pages(referral_page(one, Language.SPANISH, Paper.LETTER)) == 2


def test_files_description_names_nobody(manifest: Manifest) -> None:
    page = referral_page(examined(manifest, decision=DECISION), Language.ENGLISH, Paper.A4)
    described = page[page.rindex(b"/Creator") - 500 :]
    assert b"dermascope" in described
    assert not any(secret.encode() in described for secret in SECRETS)
