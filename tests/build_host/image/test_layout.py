"""How a card is divided."""

import re

from build_host.image import layout
from build_host.image.layout import SLOT_A, SLOT_B, autoboot, genimage_config, kernel_command_line
from build_host.image.recipe import load_recipe

SMALLEST_CARD = 7_800_000_000
"""Bytes of what is sold as 8 GB."""


def test_the_choice_of_a_system_fills_one_sector():
    assert len(autoboot(SLOT_A, SLOT_B)) == layout.AUTOBOOT_BYTES


def test_the_choice_of_a_system_names_what_starts_and_what_is_tried():
    lines = autoboot(SLOT_B, SLOT_A).decode().splitlines()
    assert lines[:5] == [
        "[all]", "tryboot_a_b=1", "boot_partition=3", "[tryboot]", "boot_partition=2",
    ]  # fmt: skip
    assert all(line.startswith("#") for line in lines[5:])


def test_each_system_starts_from_its_own_root():
    assert f"root=PARTUUID={layout.SIGNATURE:08x}-05 " in kernel_command_line(SLOT_A)
    assert f"root=PARTUUID={layout.SIGNATURE:08x}-06 " in kernel_command_line(SLOT_B)


def test_the_partitions_come_in_the_order_of_their_numbers():
    names = re.findall(r"partition ([\w-]+) \{", genimage_config(load_recipe().partitions))
    assert names == ["selector", "boot-a", "boot-b", "root-a", "root-b", "data"]


def test_the_data_partition_is_marked_as_never_made():
    config = genimage_config(load_recipe().partitions)
    assert f"partition-type = 0x{layout.UNMADE:02x}" in config.split("partition data")[1]


def test_a_card_of_8_gb_has_room_for_thousands_of_examinations():
    sizes = load_recipe().partitions
    system = (sizes.selector + 2 * sizes.boot + 2 * sizes.root) << 20
    assert SMALLEST_CARD - system > 1000 * (4 << 20)
