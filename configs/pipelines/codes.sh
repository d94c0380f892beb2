#!/bin/sh
# Reads barcodes in the frames of its camera and traces their latency.
#
#   codes.sh [--cache true|false]
#
# GStreamer's own tracer prints the latency of each frame, which `lp` records as the
# latency of this script. `zbar` posts the codes that it reads; `-m` prints them, so
# they appear in the log of this script beside the report.
set -eu

cache=true
while [ $# -gt 0 ]; do
    case $1 in
    --cache) cache=$2 ;;
    *) echo "codes.sh: unknown parameter $1" >&2; exit 2 ;;
    esac
    shift 2
done

# No pipeline starts with this tracer in GStreamer 1.26.2, that of Debian 13; 1.26.5 is said to have it mended.
case $(gst-launch-1.0 --version) in
*" 1.26."[0-4][!0-9]*) echo "codes.sh: no latency: the tracer of this GStreamer lets no pipeline start" >&2 ;;
*) export GST_TRACERS='latency(flags=pipeline)' GST_DEBUG='GST_TRACER:7' GST_DEBUG_NO_COLOR=1 ;;
esac

# At camera speed, or as fast as the machine can.
sync=true
[ "$LP_CAMERA_PACE" = live ] || sync=false

look() {
    gst-launch-1.0 -m -v "$@" ! videoconvert ! zbar "cache=$cache" \
        ! fpsdisplaysink "name=$LP_CAMERA_SLUG" "sync=$sync" text-overlay=false video-sink=fakesink
}

case $LP_CAMERA_SOURCE_KIND in
file)
    look filesrc "location=$LP_CAMERA_SOURCE" ! decodebin
    # A clip ends but a camera does not: play it again until `lp` ends this script.
    while [ "$LP_CAMERA_PACE" = live ]; do
        look filesrc "location=$LP_CAMERA_SOURCE" ! decodebin
    done
    ;;
rtsp) look rtspsrc "location=$LP_CAMERA_SOURCE" protocols=tcp latency=300 ! decodebin ;;
usb) look v4l2src "device=$LP_CAMERA_SOURCE" ;;
esac
