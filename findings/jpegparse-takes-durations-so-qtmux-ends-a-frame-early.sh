#!/usr/bin/env bash
# One expects that a parser between a demuxer and a muxer changes no time: `avidemux ! jpegparse ! qtmux`
# should give a MOV of as many frames and seconds as `avidemux ! qtmux`, and parsers are what one puts there.
#
# What happens: buffers that leave jpegparse have no duration any more, although those that come in have
# one. qtmux gives each sample the time until the next, and so the last one none at all. All ten frames
# are in the file, but track and edit list end at 0.9 s: readers that follow the edit list, such as
# ffprobe without options, deliver nine frames. No warning is printed by either element.
#
# Why it matters: Motion JPEG is what many USB and older network cameras send. A clip remuxed so lacks its
# last frame and is too short by it. Without the parser, qtmux takes the demuxer's frames as they are.
#
# Uses Debian 12's gstreamer1.0-tools and -plugins-base, -good, -bad (1.22.0), and ffmpeg (5.1); installs
# them where they are missing. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
needed="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad ffmpeg"
# shellcheck disable=SC2086
dpkg -s $needed >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $needed >/dev/null; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

gst-launch-1.0 -q videotestsrc num-buffers=10 ! video/x-raw,width=64,height=48,framerate=10/1 ! jpegenc ! avimux ! filesink location=ten.avi
gst-launch-1.0 -q filesrc location=ten.avi ! avidemux ! qtmux ! filesink location=without.mov
gst-launch-1.0 -q filesrc location=ten.avi ! avidemux ! jpegparse ! qtmux ! filesink location=with.mov

probe() { ffprobe -v error "${@:2}" -count_packets -show_entries stream=nb_frames,nb_read_packets,duration -of csv=p=0 "$1"; }
gst-launch-1.0 --gst-version
dpkg-query -W -f '${Package} ${Version}\n' gstreamer1.0-plugins-bad gstreamer1.0-plugins-good
without=$(probe without.mov)
with=$(probe with.mov)
whole=$(probe with.mov -ignore_editlist 1)
echo "seconds, samples in the file, frames read"
echo "without jpegparse: $without"
echo "with jpegparse: $with"
echo "with jpegparse, edit list ignored: $whole"
[ "$without" = 1.000000,10,10 ] && [ "$with" = 0.900000,10,9 ] && [ "$whole" = 0.900000,10,10 ]
