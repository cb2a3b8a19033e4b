/* libcuda.so.1 in host memory: what the CUDA backend's run-time part is tested with where there is
   no card. It keeps the driver's contracts (codes, sticky errors, a card of limited memory).
   Kernels run in the library that FAKE_KERNELS names (tests/cuda/host.cpp); without it a launch is
   only noted in the file that FAKE_LAUNCHES names.

   Compile-time: VERSION (12060), INIT (what cuInit returns), CARDS, MAJOR, MINOR.
   Run-time: FAKE_BYTES (memory of the card), FAKE_FAULT (a kernel whose first launch ends in a
   sticky error, or its fifth: NAME:5), FAKE_OOM (the same for out of memory, which is not sticky),
   FAKE_BUSY (there is no context to be had), FAKE_OPENED (a
   file: a line for each time a context was asked for), FAKE_CALLS (a file: a line for each kernel,
   product, fill, copy and graph that was launched), FAKE_CAPTURE (what the end of a capture
   returns), FAKE_NO_GRAPH (a card that is full when a graph is instantiated). */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION 12060
#endif
#ifndef INIT
#define INIT 0
#endif
#ifndef CARDS
#define CARDS 1
#endif
#ifndef MAJOR
#define MAJOR 8
#endif
#ifndef MINOR
#define MINOR 6
#endif

#define OK 0
#define INVALID_VALUE 1
#define OUT_OF_MEMORY 2
#define INVALID_IMAGE 200
#define NOT_FOUND 500
#define ILLEGAL_ADDRESS 700
#define CAPTURE_UNSUPPORTED 900
#define CAPTURE_INVALIDATED 901
#define GRAPH_BYTES (1 << 20) /* of the card, for one that can be launched */
#define TABLE_BYTES 3584 /* of a struct Tensors, the only one that kernels are given */

typedef struct { size_t bytes; size_t check; } Block;
typedef struct { char name[128], types[64]; } Function;
typedef int Run(const char *, const int *, const char *, const uint64_t *, int, char *);

static size_t used, sticky, pinned;

static size_t total(void) {
  const char *bytes = getenv("FAKE_BYTES");
  return bytes ? strtoull(bytes, 0, 10) : (size_t)1 << 30;
}

static int answer(void) { return sticky ? ILLEGAL_ADDRESS : OK; }
int fake_state(void) { return answer(); } /* for the other stand-ins */

/* ---- a stream, whose calls are made at once or noted for a graph */

typedef struct { void (*run)(void *); void *data; } Node;
typedef struct { Node *nodes; int count; } Graph;

static Graph *capturing;
static void *capturedStream;
static int invalid;

static void note(const char *call) {
  const char *file = getenv("FAKE_CALLS");
  if (!file) return;
  FILE *out = fopen(file, "a");
  fprintf(out, "%s\n", call);
  fclose(out);
}
/* For calls that must not come while a stream is captured. */
static int outsideCapture(void) {
  if (!capturing) return answer();
  invalid = 1;
  return CAPTURE_UNSUPPORTED;
}
/* A call of the driver's or, by the other stand-ins, of a library's. */
int fake_queue(void *stream, const char *name, void (*run)(void *), const void *data, size_t bytes) {
  void *copy = memcpy(malloc(bytes), data, bytes);
  if (capturing && stream == capturedStream) {
    Graph *g = capturing;
    g->nodes = realloc(g->nodes, (g->count + 1) * sizeof *g->nodes);
    g->nodes[g->count++] = (Node){run, copy};
    return OK;
  }
  note(name);
  run(copy);
  free(copy);
  return answer();
}
int cuStreamBeginCapture_v2(void *stream, int mode) {
  if (capturing || mode < 0 || mode > 2) return INVALID_VALUE;
  capturing = calloc(1, sizeof *capturing);
  capturedStream = stream;
  invalid = 0;
  return OK;
}
int cuStreamEndCapture(void *stream, Graph **graph) {
  if (!capturing || stream != capturedStream) return INVALID_VALUE;
  *graph = capturing;
  capturing = 0;
  const char *fault = getenv("FAKE_CAPTURE");
  return invalid ? CAPTURE_INVALIDATED : fault ? atoi(fault) : OK;
}
/* What can be launched lives on when the graph is gone: it has the nodes. */
int cuGraphInstantiateWithFlags(Graph **made, Graph *graph, unsigned long long flags) {
  if (flags) return INVALID_VALUE;
  if (getenv("FAKE_NO_GRAPH") || used + GRAPH_BYTES > total()) return OUT_OF_MEMORY;
  used += GRAPH_BYTES;
  *made = memcpy(malloc(sizeof *graph), graph, sizeof *graph);
  return OK;
}
int cuGraphDestroy(Graph *graph) {
  if (!graph) return INVALID_VALUE;
  free(graph);
  note("graph destroyed");
  return OK;
}
int cuGraphExecDestroy(Graph *made) {
  used -= GRAPH_BYTES;
  for (int i = 0; i < made->count; i++) free(made->nodes[i].data);
  free(made->nodes);
  free(made);
  return OK;
}
int cuGraphLaunch(Graph *made, void *stream) {
  (void)stream;
  char name[64];
  snprintf(name, sizeof name, "graph of %d", made->count);
  note(name);
  for (int i = 0; i < made->count; i++) made->nodes[i].run(made->nodes[i].data);
  return answer();
}

/* NVRTC 13 looks this up and calls it unchecked. */
int cuGetExportTable(const void **table, const void *id) { (void)id; *table = 0; return NOT_FOUND; }

int cuInit(unsigned flags) { (void)flags; return INIT; }
int cuDriverGetVersion(int *version) { *version = VERSION; return OK; }
int cuDeviceGetCount(int *count) { *count = CARDS; return OK; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return OK; }
int cuDeviceGetName(char *name, int length, int device) {
  snprintf(name, length, "Fake card %d", device);
  return OK;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  *value = attribute == 75 ? MAJOR : attribute == 76 ? MINOR : attribute == 16 ? 4 : 0;
  return OK;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = total(); return OK; }
int cuDeviceGetPCIBusId(char *id, int length, int device) {
  snprintf(id, length, "0000:%02x:00.0", device);
  return OK;
}
int cuGetErrorName(int code, const char **name) {
  *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
      : code == 46 ? "CUDA_ERROR_DEVICE_UNAVAILABLE"
      : code == 100 ? "CUDA_ERROR_NO_DEVICE"
      : code == INVALID_IMAGE ? "CUDA_ERROR_INVALID_IMAGE"
      : code == NOT_FOUND ? "CUDA_ERROR_NOT_FOUND"
      : code == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
      : code == CAPTURE_INVALIDATED ? "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"
      : code == OK ? "CUDA_SUCCESS" : 0;
  return *name ? OK : INVALID_VALUE;
}
int cuGetErrorString(int code, const char **text) {
  *text = code == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "no text";
  return OK;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  (void)device;
  *context = &used;
  const char *file = getenv("FAKE_OPENED");
  if (file) {
    FILE *out = fopen(file, "a");
    fputs("opened\n", out);
    fclose(out);
  }
  return getenv("FAKE_BUSY") ? 46 : OK; /* CUDA_ERROR_DEVICE_UNAVAILABLE */
}
int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return OK; }
int cuCtxSetCurrent(void *context) { (void)context; return OK; }
int cuCtxGetCurrent(void **context) { *context = &used; return OK; }
int cuCtxSynchronize(void) { return outsideCapture(); }

int cuMemGetInfo_v2(size_t *available, size_t *all) {
  *all = total();
  *available = *all - used;
  return answer();
}
int cuMemAlloc_v2(void **pointer, size_t bytes) {
  int status = outsideCapture();
  if (status) return status;
  if (used + bytes > total()) return OUT_OF_MEMORY;
  Block *block = aligned_alloc(512, (sizeof(Block) + 511) / 512 * 512 + (bytes + 511) / 512 * 512);
  block->bytes = bytes;
  block->check = ~bytes;
  used += bytes;
  *pointer = (char *)block + 512;
  memset(*pointer, 0xff, bytes); /* contents are undefined: NaN as float */
  return OK;
}
int cuMemFree_v2(void *pointer) {
  Block *block = (Block *)((char *)pointer - 512);
  if (block->check != ~block->bytes) return INVALID_VALUE;
  used -= block->bytes;
  block->check = 0;
  free(block);
  return answer();
}
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
  (void)flags;
  *pointer = malloc(bytes);
  pinned += bytes;
  return OK;
}
int cuMemFreeHost(void *pointer) { free(pointer); return OK; }

/* The host's buffers are filled anew: a graph would read what is in them later. */
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) {
  if (stream == capturedStream && capturing) return outsideCapture();
  memmove(to, from, bytes);
  return answer();
}
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *stream) {
  return cuMemcpyHtoDAsync_v2(to, from, bytes, stream);
}
typedef struct { char *to; const char *from; size_t bytes; } Copy;
static void copy(void *data) { Copy *c = data; memmove(c->to, c->from, c->bytes); }
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) {
  return fake_queue(stream, "copy", copy, &(Copy){to, from, bytes}, sizeof(Copy));
}
typedef struct { char *to; unsigned value; int width; size_t count; } Fill;
static void fill(void *data) {
  Fill *f = data;
  for (size_t i = 0; i < f->count; i++) memcpy(f->to + i * f->width, &f->value, f->width);
}
int cuMemsetD8Async(void *to, unsigned char value, size_t count, void *stream) {
  return fake_queue(stream, "fill", fill, &(Fill){to, value, 1, count}, sizeof(Fill));
}
int cuMemsetD16Async(void *to, uint16_t value, size_t count, void *stream) {
  return fake_queue(stream, "fill", fill, &(Fill){to, value, 2, count}, sizeof(Fill));
}
int cuMemsetD32Async(void *to, unsigned value, size_t count, void *stream) {
  return fake_queue(stream, "fill", fill, &(Fill){to, value, 4, count}, sizeof(Fill));
}

int cuStreamCreate(void **stream, unsigned flags) { (void)flags; *stream = malloc(1); return OK; }
int cuStreamDestroy_v2(void *stream) { free(stream); return OK; }
int cuStreamQuery(void *stream) { (void)stream; return outsideCapture(); }
int cuStreamSynchronize(void *stream) { (void)stream; return outsideCapture(); }
int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
  (void)stream; (void)event; (void)flags;
  return answer();
}
int cuEventCreate(void **event, unsigned flags) { (void)flags; *event = malloc(1); return OK; }
int cuEventDestroy_v2(void *event) { free(event); return OK; }
int cuEventRecord(void *event, void *stream) { (void)event; (void)stream; return answer(); }
int cuEventSynchronize(void *event) { (void)event; return outsideCapture(); }
int cuEventQuery(void *event) { (void)event; return outsideCapture(); }
int cuEventElapsedTime(float *ms, void *start, void *end) {
  (void)start; (void)end;
  *ms = 1;
  return answer();
}

/* An image is what the fake compiler made: "FAKECUBIN" and the source. */
int cuModuleLoadData(void **module, const void *image) {
  if (memcmp(image, "FAKECUBIN", 9)) return INVALID_IMAGE;
  *module = strdup(image);
  return OK;
}
int cuModuleUnload(void *module) { free(module); return OK; }
/* The parameters of a kernel as one text, with names in capitals replaced by their #define. */
static char *expand(const char *source, const char *from, const char *end, char *out) {
  while (from < end) {
    size_t name = strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    char define[64];
    const char *macro = 0;
    if (name > 3) {
      snprintf(define, sizeof define, "#define %.*s ", (int)name, from);
      macro = strstr(source, define);
    }
    if (macro) {
      const char *line = macro + strlen(define), *last = line;
      while (*last != '\n' || last[-1] == '\\') last++;
      out = expand(source, line, last, out);
      from += name;
    } else {
      *out++ = *from == '\\' || *from == '\n' ? ' ' : *from;
      from++;
    }
  }
  *out = 0;
  return out;
}
/* One letter for each parameter of a kernel's source: l (8 bytes), i, f or s (a struct). */
static void types(const char *source, const char *from, char *letters) {
  char all[4096];
  expand(source, from, strchr(from, ')'), all);
  for (char *one = strtok(all, ","); one; one = strtok(0, ",")) {
    *letters++ = strstr(one, "Tensors ") ? 's' : strchr(one, '*') || strstr(one, "long long") ? 'l' : strstr(one, "float ") ? 'f' : 'i';
  }
  *letters = 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  char call[160];
  snprintf(call, sizeof call, " %s(", name);
  const char *at = strstr(module, call);
  if (!at) return NOT_FOUND;
  Function *f = malloc(sizeof *f);
  types(module, at + strlen(call), f->types);
  snprintf(f->name, sizeof f->name, "%s", name);
  *function = f;
  return OK;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) {
  (void)attribute; (void)function;
  *value = 0;
  return OK;
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  (void)function; (void)attribute; (void)value;
  return OK;
}
typedef struct { Function *f; int grid[6]; uint64_t values[64]; char table[TABLE_BYTES]; } Launch;
static Run *kernels;
static void run(void *data) {
  Launch *l = data;
  char error[256] = "";
  for (int i = 0; l->f->types[i]; i++) {
    if (l->f->types[i] == 's') l->values[i] = (uint64_t)l->table;
  }
  if (kernels(l->f->name, l->grid, l->f->types, l->values, 0, error) == 0) return;
  fprintf(stderr, "%s: %s\n", l->f->name, error);
  sticky = 1;
}
static int launch(Function *f, const int *grid, void **parameters, void *stream) {
  if (!kernels) {
    void *library = dlopen(getenv("FAKE_KERNELS"), RTLD_NOW);
    kernels = library ? (Run *)dlsym(library, "run_kernel") : 0;
    if (!kernels) return NOT_FOUND;
  }
  Launch l = {.f = f};
  memcpy(l.grid, grid, sizeof l.grid);
  for (int i = 0; f->types[i]; i++) { /* as they are now */
    if (f->types[i] == 's') memcpy(l.table, parameters[i], sizeof l.table);
    else l.values[i] = f->types[i] == 'l' ? *(uint64_t *)parameters[i] : *(uint32_t *)parameters[i];
  }
  int status = fake_queue(stream, f->name, run, &l, sizeof l);
  return status == ILLEGAL_ADDRESS ? OK : status; /* it shows at a later call */
}
/* Whether this is the launch that a variable names; each has its own count. */
static int faulty(const char *variable, int *launches, const char *name) {
  const char *fault = getenv(variable);
  if (!fault) return 0;
  size_t length = strcspn(fault, ":");
  if (strlen(name) != length || strncmp(fault, name, length)) return 0;
  return ++*launches == (fault[length] ? atoi(fault + length + 1) : 1);
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
    unsigned bz, unsigned shared, void *stream, void **parameters, void **extra) {
  (void)extra;
  Function *f = function;
  int grid[] = {gx, gy, gz, bx, by, bz};
  static int faults, full;
  if (faulty("FAKE_OOM", &full, f->name)) return OUT_OF_MEMORY;
  int fault = faulty("FAKE_FAULT", &faults, f->name);
  if (getenv("FAKE_KERNELS")) {
    int status = launch(f, grid, parameters, stream);
    if (fault) sticky = 1;
    return status;
  }
  const char *file = getenv("FAKE_LAUNCHES");
  if (file) {
    FILE *out = fopen(file, "a");
    fprintf(out, "%s <<<%ux%ux%u, %ux%ux%u, %u>>>", f->name, gx, gy, gz, bx, by, bz, shared);
    /* The test's kernel: a pointer, a long, an int, a float. */
    if (!strcmp(f->name, "four_arguments")) {
      float *x = *(float **)parameters[0];
      long long n = *(long long *)parameters[1];
      fprintf(out, " n=%lld i=%d f=%g", n, *(int *)parameters[2], *(float *)parameters[3]);
      for (long long i = 0; i < n; i++) x[i] = *(float *)parameters[3] * i;
    }
    fprintf(out, "\n");
    fclose(out);
  }
  if (fault) sticky = 1;
  return OK;
}
