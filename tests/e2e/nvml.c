/* A libnvidia-ml.so.1 of two made-up GPUs, by the declarations of nvml.h: the second one is divided (MIG), so that
 * its driver gives no utilization. nvmlDeviceGetMemoryInfo_v2 is not there, as in drivers before 510. */
#include <stdlib.h>
#include <string.h>

enum { NOT_SUPPORTED = 3 };
static int gpus[2];

int nvmlInit_v2(void) {
    const char *fails = getenv("FAKE_NVML");
    return fails ? atoi(fails) : 0;
}
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    strncpy(version, "535.104.05", length);
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &gpus[index]; return 0; }
int nvmlDeviceGetUtilizationRates(void *device, unsigned *rates) {
    if (device == &gpus[1]) return NOT_SUPPORTED;
    rates[0] = 50;
    rates[1] = 25;
    return 0;
}
int nvmlDeviceGetEncoderUtilization(void *device, unsigned *percent, unsigned *period_us) {
    *percent = 0;
    *period_us = 167000;
    return device == &gpus[1] ? NOT_SUPPORTED : 0;
}
int nvmlDeviceGetDecoderUtilization(void *device, unsigned *percent, unsigned *period_us) {
    *percent = 97;
    *period_us = 167000;
    return device == &gpus[1] ? NOT_SUPPORTED : 0;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { (void)device; *milliwatts = 72500; return 0; }
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned *megahertz) {
    (void)device;
    *megahertz = clock == 0 ? 1980 : 1;
    return 0;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) {
    (void)device;
    *degrees = sensor == 0 ? 61 : 1;
    return 0;
}
/* nvmlClocksThrottleReasonSwPowerCap */
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
    (void)device;
    *reasons = 4;
    return 0;
}
