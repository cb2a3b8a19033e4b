// What the kernels of several files share: rows and columns, vectors of floats, sums of a block.
//
// Compiled by NVRTC for a card, and by a host compiler for the tests (tests/cuda/host.h). So no
// header of CUDA's is included, and sums go through shared memory in a fixed order: the same
// launch gives the same bits, and the host needs no warps.

// ---- vectors of V floats, V = 1 or 4; with 4 the address is a multiple of 16 bytes

template <int V>
__device__ inline void load(const float* p, float (&v)[V]) {
  if (V == 4) {
    float4 q = *reinterpret_cast<const float4*>(p);
    v[0] = q.x;
    v[1 % V] = q.y;
    v[2 % V] = q.z;
    v[3 % V] = q.w;
  } else {
    v[0] = *p;
  }
}

template <int V>
__device__ inline void store(float* p, const float (&v)[V]) {
  if (V == 4) {
    *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1 % V], v[2 % V], v[3 % V]);
  } else {
    *p = v[0];
  }
}

// p[i .. i + 3], with zeros from n on; p and i are such that whole vectors are aligned.
__device__ inline float4 load4(const float* p, long long i, long long n) {
  if (i + 4 <= n) return *reinterpret_cast<const float4*>(p + i);
  float4 v = make_float4(0, 0, 0, 0);
  if (i < n) v.x = p[i];
  if (i + 1 < n) v.y = p[i + 1];
  if (i + 2 < n) v.z = p[i + 2];
  return v;
}

__device__ inline void store4(float* p, long long i, long long n, float4 v) {
  if (i + 4 <= n) {
    *reinterpret_cast<float4*>(p + i) = v;
    return;
  }
  if (i < n) p[i] = v.x;
  if (i + 1 < n) p[i + 1] = v.y;
  if (i + 2 < n) p[i + 2] = v.z;
}

// The first of this thread's four neighbouring elements in a launch of one thread per four.
__device__ inline long long firstOfFour() {
  return 4 * ((long long)blockIdx.x * blockDim.x + threadIdx.x);
}

// One element a thread.
__device__ inline long long element() {
  return (long long)blockIdx.x * blockDim.x + threadIdx.x;
}

// ---- a matrix of rows x columns: threads along x take columns (or vectors of them), along y rows

__device__ inline int column() { return blockIdx.y * blockDim.x + threadIdx.x; }

// Rows of a thread: from firstRow() up to endRow() in steps of blockDim.y.
__device__ inline long long firstRow(int rowsPerBlock) {
  return (long long)blockIdx.x * rowsPerBlock + threadIdx.y;
}

__device__ inline long long endRow(int rowsPerBlock, long long rows) {
  long long end = ((long long)blockIdx.x + 1) * rowsPerBlock;
  return end < rows ? end : rows;
}

// The sum of v over the threads of each column, in a tree; for those with threadIdx.y 0.
__device__ inline float sumOverRows(float* scratch, float v) {
  int i = threadIdx.y * blockDim.x + threadIdx.x;
  scratch[i] = v;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half) scratch[i] += scratch[i + half * blockDim.x];
    __syncthreads();
  }
  return scratch[i];
}

// ---- sums over a block of blockDim.x threads, a power of two

// The sum of all threads' v, for each thread; scratch has one element a thread. The order is that
// of a binary tree.
template <class T>
__device__ inline T sumOfBlock(T v, T* scratch) {
  int i = threadIdx.x;
  scratch[i] = v;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (i < half) scratch[i] += scratch[i + half];
    __syncthreads();
  }
  T sum = scratch[0];
  __syncthreads();  // so that scratch can be used again
  return sum;
}

// The largest of all threads' v, for each thread.
__device__ inline float largestOfBlock(float v, float* scratch) {
  int i = threadIdx.x;
  scratch[i] = v;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (i < half) scratch[i] = fmaxf(scratch[i], scratch[i + half]);
    __syncthreads();
  }
  float largest = scratch[0];
  __syncthreads();
  return largest;
}
