// Products of row-major matrices, C (m x n) = op(A) op(B) (+ C), where cuBLAS is not used.
//
// Tiles of 128 x BN, see tile.cuh. Launch: blocks (m / 128, n / BN, splits). Where m x n gives too
// few tiles for a card, the summed axis is cut into splits, which write their sums one behind the
// other into the workspace; sum_weight_splits adds them in order.
#include "common.cuh"
#include "tensor.cuh"
#include "tile.cuh"

// op(A) or op(B) seen as a source of slabs: `lines` rows of A (columns of B) from `line0` on.
// Not transposed A and transposed B have the summed axis contiguous ("across").
template <class T, int LINES, int QUADS>
struct MatrixSource {
  const float* matrix;
  int lines, line0, depth, k, end;
  bool across;
  float4 v[QUADS];

  __device__ inline void fetch() {
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      int q = threadIdx.x + u * T::THREADS;
      v[u] = make_float4(0, 0, 0, 0);
      if (q >= LINES * DEPTH / 4) continue;
      if (across) {
        int line = line0 + q / 2;
        int from = k + 4 * (q % 2);
        // A split ends at a multiple of the slab or at the end of the row.
        if (line < lines) v[u] = rowQuad(matrix + (long long)line * depth, from, depth);
      } else {
        int from = k + q / (LINES / 4);
        int line = line0 + 4 * (q % (LINES / 4));
        if (from < end) v[u] = rowQuad(matrix + (long long)from * lines, line, lines);
      }
    }
    k += DEPTH;
  }

  template <int COLUMNS>
  __device__ inline void store(float (&to)[DEPTH][COLUMNS]) const {
#pragma unroll
    for (int u = 0; u < QUADS; u++) {
      int q = threadIdx.x + u * T::THREADS;
      if (q >= LINES * DEPTH / 4) continue;
      if (across) {
        storeAcross<T>(to, 4 * (q % 2), q / 2, v[u]);
      } else {
        storeAlong<T>(to, q / (LINES / 4), 4 * (q % (LINES / 4)), v[u]);
      }
    }
  }
};

#define PRODUCT_PARAMETERS                                                                       \
  const float *a, const float *b, float *c, int m, int n, int k, int transposeA, int transposeB, \
      int depthOfSplit, int accumulate
#define PRODUCT_ARGUMENTS a, b, c, m, n, k, transposeA, transposeB, depthOfSplit, accumulate

template <class T>
__device__ inline void product(typename T::Shared& shared, PRODUCT_PARAMETERS) {
  int from = blockIdx.z * depthOfSplit;
  int end = from + depthOfSplit < k ? from + depthOfSplit : k;
  int m0 = blockIdx.x * ROWS;
  int n0 = blockIdx.y * T::COLUMNS;
  MatrixSource<T, ROWS, T::A_QUADS> left = {a, m, m0, k, from, end, !transposeA, {}};
  MatrixSource<T, T::COLUMNS, 1> right = {b, n, n0, k, from, end, transposeB != 0, {}};
  T tile = {};
  addSlabs(tile, left, right, (end - from + DEPTH - 1) / DEPTH, shared);
  float* to = c + (long long)blockIdx.z * m * n;
#pragma unroll
  for (int i = 0; i < T::ROWS_OF_THREAD; i++) {
    int row = m0 + T::row(i);
    if (row < m) tile.putRow(to + (long long)row * n, i, n0, n, accumulate != 0);
  }
}

extern "C" __global__ void __launch_bounds__(128, 4) product_32(PRODUCT_PARAMETERS) {
  __shared__ Tile<32>::Shared shared;
  product<Tile<32>>(shared, PRODUCT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) product_64(PRODUCT_PARAMETERS) {
  __shared__ Tile<64>::Shared shared;
  product<Tile<64>>(shared, PRODUCT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) product_128(PRODUCT_PARAMETERS) {
  __shared__ Tile<128>::Shared shared;
  product<Tile<128>>(shared, PRODUCT_ARGUMENTS);
}
