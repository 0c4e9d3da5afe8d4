/* The part of NVIDIA's management library that Ray and torch count GPUs with: as many as /etc/gpus
   says. A host of the lab has GPUs that can be counted, not computed on: trials run on the CPU. */
#include <stdio.h>
#include <string.h>

static int gpus(void) {
  int n = 0;
  FILE *file = fopen("/etc/gpus", "r");
  if (file) {
    if (fscanf(file, "%d", &n) != 1) n = 0;
    fclose(file);
  }
  return n;
}

int nvmlInit(void) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return "not in this lab"; }
int nvmlDeviceGetCount(unsigned *count) { *count = gpus(); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpus(); return 0; }
int nvmlDeviceGetHandleByIndex(unsigned index, void **device) {
  *device = (void *)(long)(index + 1);
  return index < (unsigned)gpus() ? 0 : 2;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  return nvmlDeviceGetHandleByIndex(index, device);
}
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
  strncpy(name, "Tesla T4", length);
  return 0;
}
