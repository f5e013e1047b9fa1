#!/bin/sh
# Run the tests of the camera on real picamera2. Usage: run.sh ROOT
set -eu

root=$1
here=$(dirname "$(readlink -f "$0")")
tree=$(readlink -f "$here/../../../..")

rm -rf --one-file-system "$root/work"
mkdir "$root/work"
tar -C "$tree" --exclude=__pycache__ -cf - device models tests pyproject.toml \
    | tar -C "$root/work" -xf -
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 chroot "$root" sh -c '
    cd /work
    export PYTHONPATH=/opt/site:/work LD_PRELOAD=/opt/dma_heap.so LIBCAMERA_LOG_LEVELS="*:FATAL"
    export DERMASCOPE_VIRTUAL_CAMERA=1
    # libcamera 0.4 never sets the status of a frame of its virtual camera: memory that holds
    # anything but zeros makes every frame a failed one, and no picture ever comes.
    export GLIBC_TUNABLES=glibc.malloc.perturb=255:glibc.malloc.tcache_count=0
    # picamera2 leaves some of its files to the garbage collector.
    exec python3 -m pytest -q -p no:cacheprovider -W default -W ignore::ResourceWarning \
        -k virtual tests/device/capture/test_contract.py tests/device/capture/test_real_picamera.py
'
