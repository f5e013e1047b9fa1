#!/bin/sh
# Make the Debian 13 root in which real picamera2 runs without a camera (about 1 GB, once).
# Usage: make_root.sh ROOT PYTHON
set -eu

root=$1
python=$2
here=$(dirname "$(readlink -f "$0")")
machine=$(uname -m)

[ "$(id -u)" = 0 ] || { echo "test-picamera changes root: run it as root" >&2; exit 1; }
for tool in mmdebstrap gcc; do
    command -v $tool > /dev/null || missing="${missing:-} $tool"
done
if [ -n "${missing:-}" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # one word each
    apt-get install -y -qq $missing
fi

# Only ever a folder that this script made itself is cleared.
if [ -d "$root" ]; then
    [ -e "$root/.dermascope" ] || { echo "$root: is something else; name another" >&2; exit 1; }
    rm -rf --one-file-system "$root"
fi
mkdir -p "$root"
touch "$root/.dermascope"

mmdebstrap --quiet --variant=minbase --mode=root --skip=check/empty \
    --include=python3,python3-libcamera,libcamera-ipa,python3-prctl trixie "$root"

"$python" -m pip --disable-pip-version-check --quiet install --target "$root/opt/site" \
    --no-deps --only-binary :all: --implementation cp --python-version 313 \
    --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" \
    --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
    -r "$here/packages.txt"
cp -r "$here/../../../../build_host/image/camera/." "$root/opt/site/"

gcc -shared -fPIC -O1 -Wall -Werror -o "$root/opt/dma_heap.so" "$here/dma_heap.c" -ldl
mkdir -p "$root/dev/dma_heap" "$root/usr/share/libcamera/pipeline/virtual"
touch "$root/dev/dma_heap/linux,cma"
cp "$here/virtual.yaml" "$root/usr/share/libcamera/pipeline/virtual/"
PYTHONPATH=/opt/site chroot "$root" python3 -c "
from PIL import Image
Image.new('RGB', (1024, 576), (220, 30, 20)).save('/opt/red.jpg', quality=95)"
