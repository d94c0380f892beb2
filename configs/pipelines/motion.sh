#!/bin/sh
# Looks for motion in the frames of its camera.
#
#   motion.sh [--sensitivity 0..1]
#
# `lp` passes the camera in LP_CAMERA_* and the parameters of the workload file as
# arguments. It reads the frame rate of this script from the lines of `fpsdisplaysink`.
set -eu

sensitivity=0.9
while [ $# -gt 0 ]; do
    case $1 in
    --sensitivity) sensitivity=$2 ;;
    *) echo "motion.sh: unknown parameter $1" >&2; exit 2 ;;
    esac
    shift 2
done

# At camera speed, or as fast as the machine can.
sync=true
[ "$LP_CAMERA_PACE" = live ] || sync=false

watch() {
    gst-launch-1.0 -v "$@" ! videoconvert \
        ! motioncells "sensitivity=$sensitivity" display=false \
        ! fpsdisplaysink "name=$LP_CAMERA_SLUG" "sync=$sync" text-overlay=false video-sink=fakesink
}

case $LP_CAMERA_SOURCE_KIND in
file)
    watch filesrc "location=$LP_CAMERA_SOURCE" ! decodebin
    # A clip ends but a camera does not: play it again until `lp` ends this script.
    while [ "$LP_CAMERA_PACE" = live ]; do
        watch filesrc "location=$LP_CAMERA_SOURCE" ! decodebin
    done
    ;;
rtsp) watch rtspsrc "location=$LP_CAMERA_SOURCE" protocols=tcp latency=300 ! decodebin ;;
usb) watch v4l2src "device=$LP_CAMERA_SOURCE" ;;
esac
