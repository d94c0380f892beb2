#!/usr/bin/env bash
# One expects that the caps of an encoded stream say whether it has a high dynamic range, wherever the file says so:
# ffprobe calls this one `arib-std-b67` (HLG), and so do the caps of the decoded frames.
#
# What happens: the stream of H.265 names matrix, transfer function and primaries, and the header of Matroska names only the
# range, as ffmpeg writes it for an encoder with colours of its own options (`-x265-params`). matroskademux makes `2:0:0:0` of
# that (range, matrix, transfer, primaries; 0 is unknown), and h265parse takes colours from the stream only if the
# container names none at all. So its caps have a transfer function that is unknown. The same stream without Matroska
# has `bt2100-hlg`.
#
# Why it matters: a program that looks at files before it decodes them takes HLG and PQ for usual colours.
#
# Uses Debian 12's gstreamer1.0-tools, -plugins-base, -good, -bad, gstreamer1.0-libav (1.22.0) and ffmpeg (5.1); installs them where
# they are missing. Debian 13's (1.26.2, ffmpeg 7.1) do the same. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
needed="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav ffmpeg"
# shellcheck disable=SC2086
dpkg -s $needed >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $needed >/dev/null; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 3 -pix_fmt yuv420p10le \
    -c:v libx265 -x265-params log-level=none:colorprim=9:transfer=18:colormatrix=9 a.mkv
ffmpeg -v error -i a.mkv -c copy a.h265

colours() { # which caps, the file, its elements
    gst-launch-1.0 -v filesrc location="$2" ! "${@:3}" ! fakesink | grep -a "$1.*caps = " | grep -ao 'colorimetry=(string)[^,]*' | sort -u | cut -d')' -f2
}
gst-launch-1.0 --gst-version
dpkg-query -W -f '${Package} ${Version}\n' gstreamer1.0-plugins-bad gstreamer1.0-plugins-good ffmpeg
probed=$(ffprobe -v error -show_entries stream=color_transfer -of csv=p=0 a.mkv)
parsed=$(colours 'h265parse.*src' a.mkv matroskademux ! h265parse)
bare=$(colours 'h265parse.*src' a.h265 h265parse)
decoded=$(colours 'fakesink0.GstPad:sink' a.mkv decodebin)
echo "ffprobe: $probed; parsed: $parsed; parsed without Matroska: $bare; decoded: $decoded"
[ "$probed" = arib-std-b67 ] && [ "$parsed" = 2:0:0:0 ] && [ "$bare" = bt2100-hlg ] && [ "$decoded" = bt2100-hlg ]
