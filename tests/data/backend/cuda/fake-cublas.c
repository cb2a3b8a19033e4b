/* libcublas.so.12 in host memory: plain loops with cuBLAS's column-major contract. */
#include <stddef.h>

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
int cublasSgemm_v2(Handle *handle, int opa, int opb, int m, int n, int k, const float *alpha,
    const float *a, int lda, const float *b, int ldb, const float *beta, float *c, int ldc) {
  if (!handle->stream || !handle->workspace) return 14;
  if (lda < (opa ? k : m) || ldb < (opb ? n : k) || ldc < m) return 7;
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < m; i++) {
      double sum = 0;
      for (int l = 0; l < k; l++) {
        double x = opa ? a[l + (size_t)i * lda] : a[i + (size_t)l * lda];
        double y = opb ? b[j + (size_t)l * ldb] : b[l + (size_t)j * ldb];
        sum += x * y;
      }
      float *to = &c[i + (size_t)j * ldc];
      *to = *beta == 0 ? *alpha * sum : *alpha * sum + *beta * *to;
    }
  }
  return 0;
}
