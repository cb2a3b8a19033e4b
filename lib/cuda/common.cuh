// What the kernels of several files share: rows and columns, vectors of floats, sums of a block.
//
// Compiled by NVRTC for a card, and by a host compiler for the tests (tests/cuda/host.h). So no
// header of CUDA's is included, and sums go through shared memory in a fixed order: the same
// launch gives the same bits, and the host needs no warps.

// ---- vectors of V floats, V = 1 or 4; with 4 the address is a multiple of 16 bytes

template <int V>
__device__ inline void load(const float* p, float (&v)[V]) {
  if constexpr (V == 4) {
    float4 q = *reinterpret_cast<const float4*>(p);
    v[0] = q.x;
    v[1] = q.y;
    v[2] = q.z;
    v[3] = q.w;
  } else {
    v[0] = *p;
  }
}

template <int V>
__device__ inline void store(float* p, const float (&v)[V]) {
  if constexpr (V == 4) {
    *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
  } else {
    *p = v[0];
  }
}

// p[i .. i + 3], with zeros from n on; p and i are such that whole vectors are aligned.
__device__ inline void load4(const float* p, long long i, long long n, float (&v)[4]) {
  if (i + 4 <= n) return load<4>(p + i, v);
  for (int j = 0; j < 4; j++) v[j] = i + j < n ? p[i + j] : 0;
}

__device__ inline void store4(float* p, long long i, long long n, const float (&v)[4]) {
  if (i + 4 <= n) return store<4>(p + i, v);
  for (int j = 0; j < 4; j++) {
    if (i + j < n) p[i + j] = v[j];
  }
}

// The first of this thread's four neighbouring elements in a launch of one thread per four.
__device__ inline long long firstOfFour() {
  return 4 * ((long long)blockIdx.x * blockDim.x + threadIdx.x);
}

// z = f(x, y) of this thread's four, the same buffer perhaps.
template <class F>
__device__ inline void four(const float* x, const float* y, float* z, long long n, F f) {
  long long i = firstOfFour();
  if (i >= n) return;
  float v[4], w[4];
  load4(x, i, n, v);
  load4(y, i, n, w);
  for (int j = 0; j < 4; j++) w[j] = f(v[j], w[j]);
  store4(z, i, n, w);
}

// y = f(x), which the compiler reads once.
template <class F>
__device__ inline void four(const float* x, float* y, long long n, F f) {
  four(x, x, y, n, [=](float x, float) { return f(x); });
}

// ---- batch normalization of V channels from c on: the same bits wherever it is done

#define CHANNELS const float *mean, const float *invStd, const float *gamma, const float *beta
#define CHANNELS_ARGUMENTS mean, invStd, gamma, beta

template <int V>
struct Normalization {
  float m[V], scale[V], shift[V];

  __device__ inline void read(int c, CHANNELS) {
    for (int j = 0; j < V; j++) {  // one by one: a slice of channels may begin anywhere
      m[j] = mean[c + j];
      scale[j] = gamma[c + j] * invStd[c + j];
      shift[j] = beta[c + j];
    }
  }

  __device__ inline float of(int j, float x) const { return fmaf(x - m[j], scale[j], shift[j]); }
};

__device__ inline float rectified(float x) { return x < 0 ? 0 : x; }  // a NaN stays one

// ---- many tensors in one launch: a network has hundreds of parameters

#define TENSORS 64

struct Tensors {         // an argument of 3584 bytes, of at most 4096
  void* at[6][TENSORS];  // of each tensor, in the kernel's order
  int end[TENSORS];      // the block behind its last one; behind the last tensor the largest int
  int size[TENSORS];     // its elements
};

// What this block works on.
struct Part {
  const Tensors& all;
  int tensor, block, blocks;  // the block's number among so many of the tensor

  __device__ inline explicit Part(const Tensors& all) : all(all), tensor(0) {
    for (int step = TENSORS / 2; step > 0; step /= 2) {
      if ((int)blockIdx.x >= all.end[tensor + step - 1]) tensor += step;
    }
    int first = tensor ? all.end[tensor - 1] : 0;
    block = blockIdx.x - first;
    blocks = all.end[tensor] - first;
  }

  template <class T = float>
  __device__ inline T* at(int k) const { return (T*)all.at[k][tensor]; }

  __device__ inline int size() const { return all.size[tensor]; }

  __device__ inline long long firstOfFour() const {
    return 4 * ((long long)block * blockDim.x + threadIdx.x);
  }
};

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

// f(row, column, v) of each element of this thread, v = of[column], or 0 if that is null.
template <class F>
__device__ inline void forEach(
    long long rows, int columns, int rowsPerBlock, const float* of, F f) {
  int c = column();
  if (c >= columns) return;
  float v = of ? of[c] : 0;
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) f(r, c, v);
}

// A pixel of pictures of some size.
struct Pixel {
  int n, h, w;

  // The number of pixel (h, w) of the same picture at another size.
  __device__ inline long long at(int h, int w, int height, int width) const {
    return ((long long)n * height + h) * width + w;
  }
};

// The one with number p.
__device__ inline Pixel pixelOf(int p, int height, int width) {
  return {p / width / height, p / width % height, p % width};
}

// The sum of v over the threads of each column, in a tree; for those with threadIdx.y 0. scratch
// has one element a thread, and can then be used again.
template <class T>
__device__ inline T sumOverRows(T* scratch, T v) {
  int i = threadIdx.y * blockDim.x + threadIdx.x;
  scratch[i] = v;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half) scratch[i] += scratch[i + half * blockDim.x];
    __syncthreads();
  }
  return scratch[i];
}

// True for the last of the blocks along x that come here: it may read, as volatile, what all have
// written. arrived[blockIdx.y] counts them, from 0 to 0; place is shared.
__device__ inline bool isLastBlock(unsigned int* arrived, unsigned int& place) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    place = atomicInc(&arrived[blockIdx.y], gridDim.x - 1);
  }
  __syncthreads();
  return place == gridDim.x - 1;
}

// The sum of f(chunk, column) over the chunks, one of each block along x, as sumOverRows.
template <class T, class F>
__device__ inline T sumOverChunks(T* scratch, int columns, F f) {
  int c = column();
  T sum = {};
  if (c < columns) {
#pragma unroll 4
    for (int chunk = threadIdx.y; chunk < (int)gridDim.x; chunk += blockDim.y) sum += f(chunk, c);
  }
  return sumOverRows(scratch, sum);
}

// What sums of columns end with: partial[chunk][c] is a chunk's, to[c] (+)= that of all.
struct ColumnSum {
  float rows[256];
  double chunks[256];
  unsigned int place;

  __device__ inline void finish(
      float sum, float* partial, unsigned int* arrived, int columns, float* to, int accumulate) {
    int c = column();
    bool writes = threadIdx.y == 0 && c < columns;
    sum = sumOverRows(rows, sum);
    if (writes) partial[(long long)blockIdx.x * columns + c] = sum;
    if (!isLastBlock(arrived, place)) return;
    const volatile float* all = partial;
    double total = sumOverChunks(chunks, columns, [=](int chunk, int c) {
      return (double)all[(long long)chunk * columns + c];
    });
    if (writes) to[c] = (float)((accumulate ? to[c] : 0) + total);
  }
};

// ---- what changes from step to step: in device memory, so that a CUDA graph can be repeated

struct SgdNumbers {
  float decay, rate, momentum, fresh, gPart, bPart, keep, first;
};

struct AdamNumbers {
  float keep, add, fresh1, beta2, fresh2, rate, correction, epsilon, leastRoot;
};

// ---- a block of THREADS threads along x, a power of two

// op over all threads' v, in a binary tree, for each thread; scratch can then be used again.
template <class T, int THREADS, class Op>
__device__ inline T reduceBlock(T v, T (&scratch)[THREADS], Op op) {
  int i = threadIdx.x;
  scratch[i] = v;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (i < half) scratch[i] = op(scratch[i], scratch[i + half]);
    __syncthreads();
  }
  T result = scratch[0];
  __syncthreads();
  return result;
}

template <class T, int THREADS>
__device__ inline T sumOfBlock(T v, T (&scratch)[THREADS]) {
  return reduceBlock(v, scratch, [](T a, T b) { return a + b; });
}

// Floats that are not negative are ordered as their bits are, NaN above all: a size as bits.
__device__ inline int sizeOf(float x) { return __float_as_int(fabsf(x)); }

template <int THREADS>
__device__ inline int largestOfBlock(int size, int (&scratch)[THREADS]) {
  return reduceBlock(size, scratch, [](int a, int b) { return max(a, b); });
}
