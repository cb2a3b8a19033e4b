/* libcublas.so.12 in host memory: plain loops with cuBLAS's column-major contract.

   Run-time: FAKE_CODE (bytes of the stand-in's card that its first product takes for code). */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct { void *stream; void *workspace; size_t bytes; int math; } Handle;
static Handle only;

int cublasCreate_v2(Handle **handle) { *handle = &only; return 0; }
int cublasDestroy_v2(Handle *handle) { (void)handle; return 0; }
int cublasSetStream_v2(Handle *handle, void *stream) {
  handle->stream = stream;
  handle->workspace = 0; /* as cuBLAS does: back to its own pool */
  return 0;
}
int cublasSetWorkspace_v2(Handle *handle, void *workspace, size_t bytes) {
  handle->workspace = workspace;
  handle->bytes = bytes;
  return (size_t)workspace % 256 ? 7 : 0; /* cuBLAS wants 256-byte alignment */
}
int cublasSetMathMode(Handle *handle, int mode) { handle->math = mode; return 0; }
int cublasSetPointerMode_v2(Handle *handle, int mode) { (void)handle; return mode; }
int cublasGetVersion_v2(Handle *handle, int *version) { (void)handle; *version = 120604; return 0; }
int cublasGetProperty(int type, int *value) {
  *value = type == 0 ? 12 : type == 1 ? 6 : 4;
  return 0;
}
/* A function of the stand-in for the driver; 0 where there is none. */
static void *driver(const char *name) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  return library ? dlsym(library, name) : 0;
}
/* Code is loaded at the first use, and what went wrong on the card shows at any call. */
static int enter(void) {
  static int loaded;
  int (*allocate)(void **, size_t) = (int (*)(void **, size_t))driver("cuMemAlloc_v2");
  int (*state)(void) = (int (*)(void))driver("fake_state");
  const char *code = getenv("FAKE_CODE");
  void *at;
  if (!loaded && code && allocate(&at, strtoull(code, 0, 10))) return 3; /* ALLOC_FAILED */
  loaded = 1;
  return state && state() ? 13 : 0; /* EXECUTION_FAILED */
}
typedef struct {
  int opa, opb, m, n, k, lda, ldb, ldc;
  float alpha, beta;
  const float *a, *b;
  float *c;
} Product;
static void multiply(void *data) {
  Product *p = data;
  for (int j = 0; j < p->n; j++) {
    for (int i = 0; i < p->m; i++) {
      double sum = 0;
      for (int l = 0; l < p->k; l++) {
        double x = p->opa ? p->a[l + (size_t)i * p->lda] : p->a[i + (size_t)l * p->lda];
        double y = p->opb ? p->b[j + (size_t)l * p->ldb] : p->b[l + (size_t)j * p->ldb];
        sum += x * y;
      }
      float *to = &p->c[i + (size_t)j * p->ldc];
      *to = p->beta == 0 ? p->alpha * sum : p->alpha * sum + p->beta * *to;
    }
  }
}
int cublasSgemm_v2(Handle *handle, int opa, int opb, int m, int n, int k, const float *alpha,
    const float *a, int lda, const float *b, int ldb, const float *beta, float *c, int ldc) {
  if (!handle->stream || !handle->workspace) return 14;
  int status = enter();
  if (status) return status;
  if (lda < (opa ? k : m) || ldb < (opb ? n : k) || ldc < m) return 7;
  Product p = {opa, opb, m, n, k, lda, ldb, ldc, *alpha, *beta, a, b, c};
  int (*queue)(void *, const char *, void (*)(void *), const void *, size_t) =
      (int (*)(void *, const char *, void (*)(void *), const void *, size_t))driver("fake_queue");
  return queue && queue(handle->stream, "product", multiply, &p, sizeof p) ? 13 : 0;
}
