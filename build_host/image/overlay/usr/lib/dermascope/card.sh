# Read by the scripts beside it: which card the system was started from, and which of its two it is.
# shellcheck shell=sh

SELECTOR=/boot/firmware
CHOICE=$SELECTOR/autoboot.txt
MEMORY=/var/lib/dermascope-system
SHARE=/usr/share/dermascope

# What was started for a trial: its version, and which of the two systems it is.
TRIAL=$MEMORY/trial
# A line for each trial that came to no end, and one for each version that is not tried again.
TRIES=$MEMORY/tries
REFUSED=$MEMORY/refused
MOST_TRIES=3

root=$(findmnt --noheadings --output SOURCE /)
stem=${root%[56]}
booted=$(sed -n 's/.*\brauc\.slot=\([AB]\).*/\1/p' /proc/cmdline)

# What starts when nobody asks for anything else.
default_slot() {
    sed -n '/^\[all\]/,/^\[tryboot\]/s/^boot_partition=//p' "$CHOICE" | tr 23 AB
}

# What was installed and waits to be tried, or nothing.
next_slot() {
    sed -n 's/^#next=\([AB]\)$/\1/p' "$CHOICE"
}

other_slot() {
    echo "$1" | tr AB BA
}

refused() {
    grep -qxF "$1" "$REFUSED" 2> /dev/null
}

refuse() {
    refused "$1" || echo "$1" >> "$REFUSED" || return 1
    sync -f "$REFUSED"
}

boot_partition() {
    echo "$1" | tr AB 23
}

# One sector is written, in its place: power that fails leaves the old choice or the new one. It fails
# where it cannot be written, also where a caller goes on after a failure.
choose() {
    text="[all]
tryboot_a_b=1
boot_partition=$(boot_partition "$1")
[tryboot]
boot_partition=$(boot_partition "$(other_slot "$1")")
#next=$2
"
    mount -o remount,rw "$SELECTOR" || return 1
    written=0
    {
        printf '%s' "$text"
        head -c $((511 - ${#text})) /dev/zero | tr '\0' '#'
        echo
    } | dd of="$CHOICE" bs=512 count=1 iflag=fullblock conv=notrunc,fsync status=none || written=1
    sync -f "$CHOICE" || written=1
    mount -o remount,ro "$SELECTOR" || written=1
    return "$written"
}
