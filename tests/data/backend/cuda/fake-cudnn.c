/* libcudnn.so.9 in host memory: the classic functions that SlimVox calls, with cuDNN's contracts
   (codes, descriptors that have to be set, workspaces that have to be large enough and are
   overwritten), plain loops for convolutions, and a made-up list of algorithms.

   Only activations N, H, W, C and weights O, kH, kW, I. A kernel five high is refused when the
   algorithms are asked for, one that is not square when it is launched.

   Compile-time: NUMBER (91002, the version), CREATE (what cudnnCreate returns).
   Run-time: FAKE_CUDNN (a file that gets a line for each convolution); fake_cudnn_fail(status) lets
   the next launch fail; fake_cudnn_count(what) tells, see there. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef NUMBER
#define NUMBER 91002
#endif
#ifndef CREATE
#define CREATE 0
#endif

#define OK 0
#define BAD_PARAM 2000
#define NULL_POINTER 2002
#define MISALIGNED 2003
#define TOO_SMALL 2006
#define SHAPE_MISMATCH 2008
#define NOT_SUPPORTED 3000
#define NOT_SUPPORTED_SHAPE 3002
#define NOT_SUPPORTED_LAYOUT 3004

enum { TENSOR = 11, FILTER, CONVOLUTION };
enum { FORWARD, BACKWARD_DATA, BACKWARD_FILTER };

/* Tensor: n c h w; filter: k c h w; convolution: pads, strides, groups, math. */
typedef struct { int kind, set, v[6]; } Descriptor;
typedef struct { void *stream; } Handle;
typedef struct {
  int algorithm, status;
  float time;
  size_t memory;
  int determinism, math, reserved[3];
} Rated;

static int descriptors, handles, launches, failing;
static int lastAlgorithm, lastMath;
static size_t lastWorkspace;
static char lastError[512];

static int refuse(int status, const char *why) {
  snprintf(lastError, sizeof lastError, "%s\nsecond line", why);
  return status;
}

/* 0 descriptors and 1 handles alive, 2 launches, then of the last: 3 algorithm, 4 math, 5 workspace */
int fake_cudnn_count(int what) {
  int all[] = {descriptors, handles, launches, lastAlgorithm, lastMath, (int)lastWorkspace};
  return all[what];
}
int fake_cudnn_fail(int status) { failing = status; return OK; }

size_t cudnnGetVersion(void) { return NUMBER; }
const char *cudnnGetErrorString(int status) {
  switch (status) {
    case 1001: return "CUDNN_STATUS_NOT_INITIALIZED";
    case SHAPE_MISMATCH: return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
    case NOT_SUPPORTED_SHAPE: return "CUDNN_STATUS_NOT_SUPPORTED_SHAPE";
    case 5000: return "CUDNN_STATUS_EXECUTION_FAILED";
    default: return "CUDNN_STATUS_OTHER";
  }
}
void cudnnGetLastErrorString(char *text, size_t bytes) {
  snprintf(text, bytes, "%s", lastError);
  lastError[0] = 0;
}

int cudnnCreate(Handle **handle) {
  if (CREATE) return refuse(CREATE, "no card");
  *handle = calloc(1, sizeof(Handle));
  handles++;
  return OK;
}
int cudnnDestroy(Handle *handle) {
  free(handle);
  handles--;
  return OK;
}
int cudnnSetStream(Handle *handle, void *stream) { handle->stream = stream; return OK; }

static int create(Descriptor **d, int kind) {
  *d = calloc(1, sizeof(Descriptor));
  (*d)->kind = kind;
  descriptors++;
  return OK;
}
static int destroy(Descriptor *d, int kind) {
  if (d->kind != kind) return BAD_PARAM;
  d->kind = 0;
  free(d);
  descriptors--;
  return OK;
}
int cudnnCreateTensorDescriptor(Descriptor **d) { return create(d, TENSOR); }
int cudnnCreateFilterDescriptor(Descriptor **d) { return create(d, FILTER); }
int cudnnCreateConvolutionDescriptor(Descriptor **d) { return create(d, CONVOLUTION); }
int cudnnDestroyTensorDescriptor(Descriptor *d) { return destroy(d, TENSOR); }
int cudnnDestroyFilterDescriptor(Descriptor *d) { return destroy(d, FILTER); }
int cudnnDestroyConvolutionDescriptor(Descriptor *d) { return destroy(d, CONVOLUTION); }

static int four(Descriptor *d, int kind, int format, int type, int n, int c, int h, int w) {
  if (d->kind != kind || n < 1 || c < 1 || h < 1 || w < 1) return BAD_PARAM;
  if (format != 1 || type != 0) return refuse(NOT_SUPPORTED_LAYOUT, "only float NHWC");
  int v[] = {n, c, h, w};
  memcpy(d->v, v, sizeof v);
  d->set = 1;
  return OK;
}
int cudnnSetTensor4dDescriptor(Descriptor *d, int format, int type, int n, int c, int h, int w) {
  return four(d, TENSOR, format, type, n, c, h, w);
}
int cudnnSetFilter4dDescriptor(Descriptor *d, int type, int format, int k, int c, int h, int w) {
  return four(d, FILTER, format, type, k, c, h, w);
}
int cudnnSetConvolution2dDescriptor(Descriptor *d, int padH, int padW, int strideH, int strideW,
    int dilationH, int dilationW, int mode, int type) {
  if (d->kind != CONVOLUTION || dilationH != 1 || dilationW != 1 || mode != 1 || type != 0) {
    return BAD_PARAM;
  }
  int v[] = {padH, padW, strideH, strideW, 1, 0};
  memcpy(d->v, v, sizeof v);
  d->set = 1;
  return OK;
}
int cudnnSetConvolutionMathType(Descriptor *d, int math) {
  if (d->kind != CONVOLUTION || math < 0 || math > 3) return BAD_PARAM;
  d->v[5] = math;
  return OK;
}
int cudnnSetConvolutionGroupCount(Descriptor *d, int groups) {
  if (d->kind != CONVOLUTION) return BAD_PARAM;
  d->v[4] = groups;
  return OK;
}
int cudnnGetConvolution2dForwardOutputDim(
    Descriptor *conv, Descriptor *x, Descriptor *w, int *n, int *c, int *height, int *width) {
  if (!conv->set || !x->set || !w->set) return BAD_PARAM;
  if (x->v[1] != w->v[1] * conv->v[4] || w->v[0] % conv->v[4]) {
    return refuse(SHAPE_MISMATCH, "channels and groups");
  }
  *n = x->v[0];
  *c = w->v[0];
  *height = (x->v[2] + 2 * conv->v[0] - w->v[2]) / conv->v[2] + 1;
  *width = (x->v[3] + 2 * conv->v[1] - w->v[3]) / conv->v[3] + 1;
  return OK;
}

static int check(Handle *handle, Descriptor *x, Descriptor *w, Descriptor *conv, Descriptor *y) {
  if (!handle || !handle->stream) return refuse(NULL_POINTER, "no stream");
  /* What went wrong on the stand-in's card shows at any call. */
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  int (*state)(void) = driver ? (int (*)(void))dlsym(driver, "fake_state") : 0;
  if (state && state()) return refuse(5000, "the card");
  if (x->kind != TENSOR || w->kind != FILTER || conv->kind != CONVOLUTION || y->kind != TENSOR) {
    return refuse(BAD_PARAM, "descriptors in the wrong order");
  }
  int v[4];
  int status = cudnnGetConvolution2dForwardOutputDim(conv, x, w, v, v + 1, v + 2, v + 3);
  if (status) return status;
  return y->set && !memcmp(v, y->v, sizeof v) ? OK : refuse(SHAPE_MISMATCH, "result's shape");
}

/* Bytes that an algorithm needs; -1 where there is none of this number. Those of float32 need 512
   more than those of TF32, which the list does not say. */
static long long need(int pass, int algorithm, Descriptor *w, Descriptor *conv) {
  long long weight = 4LL * w->v[0] * w->v[1] * w->v[2] * w->v[3];
  long long more = conv->v[5] == 3 ? 512 : 0;
  switch (pass) {
    case FORWARD:
      return algorithm == 0 ? 0 : algorithm == 1 ? (64LL << 20) : algorithm == 2 ? weight + more
          : algorithm == 6 ? 0 : -1;
    case BACKWARD_DATA: return algorithm == 0 ? 0 : algorithm == 1 ? 4096 + more : -1;
    default: return algorithm == 0 || algorithm == 3 ? 0 : algorithm == 1 ? 2 * weight + more : -1;
  }
}

static int list(int pass, Handle *handle, Descriptor *x, Descriptor *w, Descriptor *conv,
    Descriptor *y, int requested, int *returned, Rated *rated) {
  int status = check(handle, x, w, conv, y);
  if (status) return status;
  if (w->v[2] == 5) return refuse(NOT_SUPPORTED_SHAPE, "a kernel of five");
  /* algorithm, status, determinism, math if any is allowed; the fastest first */
  static const int lists[3][5][4] = {
    {{4, 3000, 1, 0}, {6, 0, 1, 0}, {1, 0, 1, 0}, {2, 0, 1, 0}, {0, 0, 1, 3}},
    {{4, 0, 1, 0}, {0, 0, 0, 0}, {1, 0, 1, 2}, {1, 0, 1, 0}, {1, 0, 1, 3}},
    {{3, 0, 0, 0}, {0, 0, 0, 0}, {5, 3000, 1, 0}, {1, 0, 1, 0}, {1, 0, 1, 3}},
  };
  int count = requested < 5 ? requested : 5;
  for (int i = 0; i < count; i++) {
    const int *l = lists[pass][i];
    int math = conv->v[5] == 3 ? 3 : l[3];
    long long bytes = need(pass, l[0], w, conv);
    rated[i] = (Rated){l[0], l[1], l[1] ? -1 : i + 1, bytes < 0 ? 0 : bytes, l[2], math, {0}};
  }
  *returned = count;
  return OK;
}
int cudnnGetConvolutionForwardAlgorithm_v7(Handle *handle, Descriptor *x, Descriptor *w,
    Descriptor *conv, Descriptor *y, int requested, int *returned, Rated *rated) {
  return list(FORWARD, handle, x, w, conv, y, requested, returned, rated);
}
int cudnnGetConvolutionBackwardDataAlgorithm_v7(Handle *handle, Descriptor *w, Descriptor *dy,
    Descriptor *conv, Descriptor *dx, int requested, int *returned, Rated *rated) {
  return list(BACKWARD_DATA, handle, dx, w, conv, dy, requested, returned, rated);
}
int cudnnGetConvolutionBackwardFilterAlgorithm_v7(Handle *handle, Descriptor *x, Descriptor *dy,
    Descriptor *conv, Descriptor *dw, int requested, int *returned, Rated *rated) {
  return list(BACKWARD_FILTER, handle, x, dw, conv, dy, requested, returned, rated);
}

static int size(int pass, Handle *handle, Descriptor *x, Descriptor *w, Descriptor *conv,
    Descriptor *y, int algorithm, size_t *bytes) {
  int status = check(handle, x, w, conv, y);
  if (status) return status;
  long long n = need(pass, algorithm, w, conv);
  if (n < 0) return refuse(NOT_SUPPORTED, "no such algorithm");
  *bytes = n;
  return OK;
}
int cudnnGetConvolutionForwardWorkspaceSize(Handle *handle, Descriptor *x, Descriptor *w,
    Descriptor *conv, Descriptor *y, int algorithm, size_t *bytes) {
  return size(FORWARD, handle, x, w, conv, y, algorithm, bytes);
}
int cudnnGetConvolutionBackwardDataWorkspaceSize(Handle *handle, Descriptor *w, Descriptor *dy,
    Descriptor *conv, Descriptor *dx, int algorithm, size_t *bytes) {
  return size(BACKWARD_DATA, handle, dx, w, conv, dy, algorithm, bytes);
}
int cudnnGetConvolutionBackwardFilterWorkspaceSize(Handle *handle, Descriptor *x, Descriptor *dy,
    Descriptor *conv, Descriptor *dw, int algorithm, size_t *bytes) {
  return size(BACKWARD_FILTER, handle, x, dw, conv, dy, algorithm, bytes);
}

static size_t elements(const Descriptor *d) {
  return (size_t)d->v[0] * d->v[1] * d->v[2] * d->v[3];
}

typedef struct {
  int pass, conv[6];
  float alpha, beta;
  Descriptor xd, wd, yd;
  const float *x, *w, *y;
  float *result;
  void *workspace;
  size_t used;
} Sums;
/* result = alpha sums + beta result; every pair of pixels and tap once, in float64. */
static void add(void *data) {
  Sums *s = data;
  const int *conv = s->conv, pass = s->pass;
  Descriptor *xd = &s->xd, *wd = &s->wd, *yd = &s->yd;
  const float *x = s->x, *w = s->w, *y = s->y;
  memset(s->workspace, 0xff, s->used);
  int N = xd->v[0], C = xd->v[1], H = xd->v[2], W = xd->v[3];
  int K = wd->v[0], I = wd->v[1], R = wd->v[2], S = wd->v[3];
  int OH = yd->v[2], OW = yd->v[3], perGroup = K / conv[4];
  Descriptor *to = pass == FORWARD ? yd : pass == BACKWARD_DATA ? xd : wd;
  double *sums = calloc(elements(to), sizeof *sums);
  for (int b = 0; b < N; b++) for (int oh = 0; oh < OH; oh++) for (int ow = 0; ow < OW; ow++) {
    for (int r = 0; r < R; r++) for (int q = 0; q < S; q++) {
      int h = oh * conv[2] - conv[0] + r, v = ow * conv[3] - conv[1] + q;
      if (h < 0 || h >= H || v < 0 || v >= W) continue;
      size_t from = (((size_t)b * H + h) * W + v) * C, at = (((size_t)b * OH + oh) * OW + ow) * K;
      for (int k = 0; k < K; k++) {
        size_t first = from + (size_t)(k / perGroup) * I;
        size_t tap = (((size_t)k * R + r) * S + q) * I;
        for (int i = 0; i < I; i++) {
          if (pass == FORWARD) sums[at + k] += (double)x[first + i] * w[tap + i];
          else if (pass == BACKWARD_DATA) sums[first + i] += (double)y[at + k] * w[tap + i];
          else sums[tap + i] += (double)y[at + k] * x[first + i];
        }
      }
    }
  }
  for (size_t i = 0; i < elements(to); i++) {
    s->result[i] = s->beta == 0 ? s->alpha * sums[i] : s->alpha * sums[i] + s->beta * s->result[i];
  }
  free(sums);
}
static int launch(int pass, Handle *handle, const float *alpha, Descriptor *xd, const float *x,
    Descriptor *wd, const float *w, Descriptor *conv, int algorithm, void *workspace, size_t bytes,
    const float *beta, Descriptor *yd, const float *y, float *result) {
  int status = check(handle, xd, wd, conv, yd);
  if (status) return status;
  if (failing) {
    status = failing;
    failing = 0;
    return refuse(status, "as the test wants");
  }
  if (wd->v[2] != wd->v[3]) return refuse(NOT_SUPPORTED, "a kernel that is not square");
  long long n = need(pass, algorithm, wd, conv);
  if (n < 0) return refuse(NOT_SUPPORTED, "no such algorithm");
  if ((size_t)n > bytes) return refuse(TOO_SMALL, "workspace");
  if (n && (size_t)workspace % 16) return refuse(MISALIGNED, "workspace");
  launches++;
  lastAlgorithm = algorithm;
  lastMath = conv->v[5];
  lastWorkspace = bytes;
  static const char *const names[] = {"forward", "backward data", "backward filter"};
  const char *file = getenv("FAKE_CUDNN");
  if (file) {
    FILE *out = fopen(file, "a");
    fprintf(out, "%s algorithm %d\n", names[pass], algorithm);
    fclose(out);
  }

  Sums sums = {.pass = pass, .alpha = *alpha, .beta = *beta, .xd = *xd, .wd = *wd, .yd = *yd, .x = x,
      .w = w, .y = y, .result = result, .workspace = workspace, .used = n};
  memcpy(sums.conv, conv->v, sizeof sums.conv);
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  int (*queue)(void *, const char *, void (*)(void *), const void *, size_t) =
      driver ? (int (*)(void *, const char *, void (*)(void *), const void *, size_t))dlsym(driver,
                   "fake_queue") : 0;
  if (queue) return queue(handle->stream, "convolution", add, &sums, sizeof sums) ? 5000 : OK;
  add(&sums);
  return OK;
}
int cudnnConvolutionForward(Handle *handle, const float *alpha, Descriptor *xd, const float *x,
    Descriptor *wd, const float *w, Descriptor *conv, int algorithm, void *workspace, size_t bytes,
    const float *beta, Descriptor *yd, float *y) {
  return launch(FORWARD, handle, alpha, xd, x, wd, w, conv, algorithm, workspace, bytes, beta, yd, y,
      y);
}
int cudnnConvolutionBackwardData(Handle *handle, const float *alpha, Descriptor *wd, const float *w,
    Descriptor *yd, const float *dy, Descriptor *conv, int algorithm, void *workspace, size_t bytes,
    const float *beta, Descriptor *xd, float *dx) {
  return launch(BACKWARD_DATA, handle, alpha, xd, dx, wd, w, conv, algorithm, workspace, bytes, beta,
      yd, dy, dx);
}
int cudnnConvolutionBackwardFilter(Handle *handle, const float *alpha, Descriptor *xd, const float *x,
    Descriptor *yd, const float *dy, Descriptor *conv, int algorithm, void *workspace, size_t bytes,
    const float *beta, Descriptor *wd, float *dw) {
  return launch(BACKWARD_FILTER, handle, alpha, xd, x, wd, dw, conv, algorithm, workspace, bytes,
      beta, yd, dy, dw);
}
