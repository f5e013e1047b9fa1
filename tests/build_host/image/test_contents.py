"""What an image says of itself."""

from build_host.image.contents import MANIFEST, contents_of, write_contents
from build_host.image.program import SITE

STATUS = """\
Package: zlib1g
Status: install ok installed
Version: 1:1.3-1
Description: compression library
 Version: not a field

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: acl
Status: install ok installed
Version: 2.3
"""


def test_an_image_names_its_packages_wheels_and_models(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    (tmp_path / SITE / "numpy-2.5.5.dist-info").mkdir(parents=True)
    bundle = tmp_path / "opt/dermascope/share/dermascope/models/slim-96"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text('{"name": "slim-96", "version": "1.2.1"}')

    contents = contents_of(
        tmp_path, version="0.1.0", commit="0" * 40, built="2026-01-02T03:04:05", compatible="pi"
    )
    write_contents(tmp_path, contents)

    assert contents.packages == {"acl": "2.3", "zlib1g": "1:1.3-1"}
    assert contents.wheels == {"numpy": "2.5.5"}
    assert contents.models == {"slim-96": "1.2.1"}
    assert '"acl": "2.3"' in (tmp_path / MANIFEST).read_text()
    assert (tmp_path / MANIFEST).with_name("version").read_text() == "0.1.0\n"
