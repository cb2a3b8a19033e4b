/* libnvidia-ml.so.1 for the stand-in's card: the counts that SlimVox asks for.

   Run-time: FAKE_LISTED (the number of the first question for processes at which this one is
   listed; 1 without it), FAKE_MIG (the card is cut into slices). */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define OK 0
#define CONTEXT (100ull << 20) /* of this process, which the driver's free bytes do not show */

typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long used; unsigned instances[2]; } Process;

static size_t used(void) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  int (*ask)(size_t *, size_t *) = (int (*)(size_t *, size_t *))dlsym(driver, "cuMemGetInfo_v2");
  size_t available, all;
  ask(&available, &all);
  return all - available;
}

int nvmlInit_v2(void) { return OK; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **device) {
  *device = (void *)id;
  return OK;
}
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *later) {
  (void)device;
  *now = *later = getenv("FAKE_MIG") != 0;
  return OK;
}
int nvmlDeviceGetMemoryInfo_v2(void *device, Memory *memory) {
  (void)device;
  memory->used = 7ull << 30; /* of other processes, too */
  return memory->version == (sizeof *memory | 2 << 24) ? OK : 25;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, Process *processes) {
  (void)device;
  static int questions;
  const char *listed = getenv("FAKE_LISTED");
  int there = ++questions >= (listed ? atoi(listed) : 1);
  *count = 1;
  processes[0] = (Process){there ? getpid() : 1, CONTEXT + used(), {0, 0}};
  return OK;
}
