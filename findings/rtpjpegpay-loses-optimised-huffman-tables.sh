#!/usr/bin/env bash
# One expects that Motion JPEG comes out of RTP as it went in: `rtpjpegpay ! rtpjpegdepay` should give
# pictures that decode to the same pixels, or the payloader should refuse what RTP cannot carry.
#
# What happens: RTP's payload for JPEG (RFC 2435) has no Huffman tables; the receiver puts the standard ones in
# their place. rtpjpegpay sends pictures with tables of their own all the same, without a warning, and
# the receiver decodes them by the wrong tables: the size and the number of pictures are right, and
# they show noise. Pictures with the standard tables come out the same.
#
# Why it matters: ffmpeg's encoder `mjpeg` optimises Huffman tables by default since 4.1, so the usual test
# clip in Motion JPEG is destroyed by a GStreamer server, and a detector sees nothing, while every counter
# of frames is right. `-huffman default` makes clips that survive.
#
# Uses Debian 12's gstreamer1.0-tools and -plugins-base, -good (1.22.0), and ffmpeg (5.1); installs them where
# they are missing. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
needed="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good ffmpeg"
# shellcheck disable=SC2086
dpkg -s $needed >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $needed >/dev/null; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# The PSNR of ten pictures after RTP, in dB: `inf` if they are the same.
after_rtp() {
    ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 10 -c:v mjpeg -q:v 4 -pix_fmt yuvj420p -huffman "$1" "$1.avi"
    gst-launch-1.0 -q filesrc location="$1.avi" ! avidemux ! rtpjpegpay ! rtpjpegdepay ! avimux ! filesink location="$1-rtp.avi" 2>"$1.log"
    ffmpeg -hide_banner -i "$1-rtp.avi" -i "$1.avi" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([^ ]*\).*/\1/p' | tail -1
}

gst-launch-1.0 --gst-version
dpkg-query -W -f '${Package} ${Version}\n' gstreamer1.0-plugins-good ffmpeg
standard=$(after_rtp default)
optimal=$(after_rtp optimal)
pictures=$(ffprobe -v quiet -count_packets -show_entries stream=nb_read_packets -of csv=p=0 optimal-rtp.avi)
echo "standard tables: PSNR $standard dB"
echo "optimised tables: PSNR $optimal dB, $pictures pictures, $(wc -l <optimal.log) lines of warnings"
[ "$standard" = inf ] && awk -v psnr="$optimal" 'BEGIN { exit !(psnr != "inf" && psnr < 20) }' && [ "$pictures" = 10 ]
