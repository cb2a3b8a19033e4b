// The inner part of every matrix product and convolution: a block's tile of 128 rows x BN columns
// of C = A B, in slabs of 8 along the summed axis.
//
//   shared memory  a[stage][8][128], b[stage][8][BN], two stages: while a slab is multiplied, the
//                  next one is on its way into registers, then goes into the other stage; one
//                  barrier a slab
//   threads        16 along the rows times BN / TN along the columns; each adds up 8 x TN
//                  elements in registers: rows 4 ty .. + 3 and 64 + 4 ty .. + 3, columns
//                  4 tx .. + 3 (and 64 + 4 tx .. + 3), so that all reads of shared memory are
//                  whole float4 and neighbouring threads read neighbouring ones, without bank
//                  conflicts
//   BN = 128       256 threads of 8 x 8: 64 multiply-adds for 16 floats read
//   BN = 64        256 threads of 8 x 4, for matrices of up to 64 columns
//   BN = 32        128 threads of 8 x 4, for up to 32
//
// Rows of shared memory are 4 floats longer than the tile: a slab that is written down the columns
// (its summed axis lies contiguous in memory) then meets other banks.
//
// Sums are float32 fused multiply-adds in the order of the summed axis: the same bits each time.

#define ROWS 128
#define DEPTH 8

template <int BN>
struct Tile {
  static const int COLUMNS = BN;
  static const int PAD = 4;
  static const int ROWS_OF_THREAD = 8;
  static const int TN = BN == 128 ? 8 : 4;
  static const int THREADS = 16 * BN / TN;
  // Vectors of four that one thread fetches of each slab of A; of B it is one at most.
  static const int A_QUADS = ROWS * DEPTH / 4 / THREADS;
  static const int B_QUADS = BN * DEPTH / 4;  // in all

  struct __align__(16) Shared {
    float a[2][DEPTH][ROWS + PAD];
    float b[2][DEPTH][BN + PAD];
  };

  static __device__ inline float rounded(float x) { return x; }

  float sum[8][TN];

  static __device__ inline int tx() { return threadIdx.x % (BN / TN); }
  static __device__ inline int ty() { return threadIdx.x / (BN / TN); }

  // The i-th row and the j-th column of this thread within the tile.
  static __device__ inline int row(int i) { return i < 4 ? 4 * ty() + i : 60 + 4 * ty() + i; }
  static __device__ inline int firstColumn(int j) { return j < 4 ? 4 * tx() : 64 + 4 * tx(); }

  __device__ inline void multiply(
      const float (&a)[DEPTH][ROWS + PAD], const float (&b)[DEPTH][BN + PAD]) {
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      float left[2][4], right[TN / 4][4];
      for (int q = 0; q < 2; q++) load<4>(&a[k][64 * q + 4 * ty()], left[q]);
      for (int q = 0; q < TN / 4; q++) load<4>(&b[k][64 * q + 4 * tx()], right[q]);
#pragma unroll
      for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int j = 0; j < TN; j++) {
          sum[i][j] = fmaf(left[i / 4][i % 4], right[j / 4][j % 4], sum[i][j]);
        }
      }
    }
  }

  // Writes columns 4 q .. 4 q + 3 of one row: to[n ...], up to columns.
  static __device__ inline void put(float* to, int n, int columns, const float* v, bool add) {
    if (n >= columns) return;
    if (!add && columns % 4 == 0) {
      *reinterpret_cast<float4*>(to + n) = make_float4(v[0], v[1], v[2], v[3]);
      return;
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
      if (n + j < columns) to[n + j] = add ? to[n + j] + v[j] : v[j];
    }
  }

  // Writes this thread's part of its i-th row.
  __device__ inline void putRow(float* to, int i, int n0, int columns, bool add) const {
    put(to, n0 + firstColumn(0), columns, sum[i], add);
    if (TN == 8) put(to, n0 + firstColumn(4), columns, sum[i] + TN - 4, add);
  }
};

#if HAS_TF32
// The same tile by tensor cores: a warp works on 32 rows x 64 columns (BN 128) or 32 x 32, as 2 x
// NI products of 16 x 8 x 8. Factors are rounded to TF32 on their way into shared memory, whose
// rows are 8 floats longer than the tile: the 32 reads of a warp then meet 32 banks.
template <int BN>
struct TensorTile {
  static const int COLUMNS = BN;
  static const int PAD = 8;
  static const int ROWS_OF_THREAD = 4;
  static const int WARPS = BN == 32 ? 1 : 2;  // along the columns; 4 along the rows
  static const int NI = BN / WARPS / 8;
  static const int THREADS = 128 * WARPS;
  static const int A_QUADS = ROWS * DEPTH / 4 / THREADS;
  static const int B_QUADS = BN * DEPTH / 4;

  struct __align__(16) Shared {
    float a[2][DEPTH][ROWS + PAD];
    float b[2][DEPTH][BN + PAD];
  };

  static __device__ inline float rounded(float x) { return roundToTf32(x); }

  float sum[2][NI][4];

  static __device__ inline int g() { return threadIdx.x % 32 / 4; }
  static __device__ inline int t() { return threadIdx.x % 4; }
  static __device__ inline int row0() { return threadIdx.x / 32 % 4 * 32; }
  static __device__ inline int column0() { return threadIdx.x / 128 * (BN / WARPS); }

  static __device__ inline int row(int i) { return row0() + 8 * i + g(); }

  __device__ inline void multiply(
      const float (&a)[DEPTH][ROWS + PAD], const float (&b)[DEPTH][BN + PAD]) {
    float left[2][4];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int m = row0() + 16 * i + g();
      left[i][0] = a[t()][m];
      left[i][1] = a[t()][m + 8];
      left[i][2] = a[t() + 4][m];
      left[i][3] = a[t() + 4][m + 8];
    }
#pragma unroll
    for (int j = 0; j < NI; j++) {
      int n = column0() + 8 * j + g();
      float right[2] = {b[t()][n], b[t() + 4][n]};
#pragma unroll
      for (int i = 0; i < 2; i++) multiplyTf32(left[i], right, sum[i][j]);
    }
  }

  __device__ inline void putRow(float* to, int i, int n0, int columns, bool add) const {
#pragma unroll
    for (int j = 0; j < NI; j++) {
      int n = n0 + column0() + 8 * j + 2 * t();
      const float* v = &sum[i / 2][j][i % 2 * 2];
      if (n < columns) to[n] = add ? to[n] + v[0] : v[0];
      if (n + 1 < columns) to[n + 1] = add ? to[n + 1] + v[1] : v[1];
    }
  }
};
#else
// A card without TF32 multiplies in float32.
template <int BN>
struct TensorTile : Tile<BN> {};
#endif

// Adds up all slabs. A source has fetch(), which reads its next slab into registers, and store(),
// which puts that into a stage of shared memory.
template <class T, class A, class B>
__device__ inline void addSlabs(T& tile, A& left, B& right, int slabs, typename T::Shared& shared) {
  if (slabs == 0) return;
  left.fetch();
  right.fetch();
  left.store(shared.a[0]);
  right.store(shared.b[0]);
  __syncthreads();
  for (int slab = 0; slab < slabs; slab++) {
    int stage = slab & 1;
    bool more = slab + 1 < slabs;
    if (more) {
      left.fetch();
      right.fetch();
    }
    tile.multiply(shared.a[stage], shared.b[stage]);
    if (more) {
      left.store(shared.a[stage ^ 1]);
      right.store(shared.b[stage ^ 1]);
      __syncthreads();
    }
  }
}

// Four values p[i .. i + 3] of a row of n, zeros from n on; with vectors where n is a multiple of
// four (then rows begin on 16 bytes, and i is one too).
__device__ inline float4 rowQuad(const float* p, int i, int n) {
  if (n % 4 == 0) {
    if (i < n) return *reinterpret_cast<const float4*>(p + i);
    return make_float4(0, 0, 0, 0);
  }
  return make_float4(
      i < n ? p[i] : 0, i + 1 < n ? p[i + 1] : 0, i + 2 < n ? p[i + 2] : 0,
      i + 3 < n ? p[i + 3] : 0);
}

// A slab whose columns lie contiguous in memory: one row of shared memory from one row there.
template <class T, int COLUMNS>
__device__ inline void storeAlong(float (&to)[DEPTH][COLUMNS], int k, int column, float4 v) {
  *reinterpret_cast<float4*>(&to[k][column]) =
      make_float4(T::rounded(v.x), T::rounded(v.y), T::rounded(v.z), T::rounded(v.w));
}

// A slab whose summed axis lies contiguous: four rows of shared memory.
template <class T, int COLUMNS>
__device__ inline void storeAcross(float (&to)[DEPTH][COLUMNS], int k, int column, float4 v) {
  to[k][column] = T::rounded(v.x);
  to[k + 1][column] = T::rounded(v.y);
  to[k + 2][column] = T::rounded(v.z);
  to[k + 3][column] = T::rounded(v.w);
}

// This thread's quad of a slab of B, where it has one.
template <class T>
__device__ inline void storeColumns(float (&to)[DEPTH][T::COLUMNS + T::PAD], float4 v) {
  int q = threadIdx.x;
  if (q < T::B_QUADS) storeAlong<T>(to, q / (T::COLUMNS / 4), 4 * (q % (T::COLUMNS / 4)), v);
}
