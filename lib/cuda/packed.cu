// Inference with packed weights, one utterance at a time: the same bits as on the processor. CPU
// twins: slimvox.backend.cpu.packed: ConvolutionKernel with Epilogue, PooledStatistics, HeadKernel.
//
//   packed_signs         s = filter size - 2 popcount(x XOR w) over words of 32 signs (W1A1)
//   packed_sign_weights  s = sum of x w, w a bit that says whether a filter's size is negative
//   packed_floats        s = sum of x w
//     then y = act(scale (alpha s - mean) + shift + shortcut), stored as floats, as signs, or both
//   clear_border         zeros around a plane: what a convolution pads with, +1 for signs
//   packed_statistics    means and deviations of channels
//   packed_head          the embedding: scale (W x) + bias
//
// Planes have a border of one pixel: (height + 2) x (width + 2) pixels of so many elements of four
// bytes. Weights are in tiles of 32 output channels, see slimvox.backend.packed.LaidConvolution.
//
// Launch of the convolutions: blocks of 32 x 8 threads; a warp takes the 32 channels of a tile for
// four pixels, so a word of x is read once for all lanes, and one of w for four pixels; blocks
// (pixels / 32, tiles). Every sum is one chain in the order of the processor's, every rounding is
// spelt out (__fmul_rn: not to be fused with what follows).
#include "common.cuh"

#define TILE 32
#define WARPS 8
#define PIXELS 4

enum Activation { NONE, RELU, PRELU, RPRELU };

// What follows the sums; the rows have one float for each channel of all tiles.
struct Epilogue {
  const float *alpha, *mean, *scale, *shift, *slope, *before, *after;
  int activation;

  __device__ inline float normalized(float s, int o) const {
    return fmaf(__fsub_rn(s, mean[o]), scale[o], shift[o]);
  }

  __device__ inline float activated(float y, int o) const {
    if (activation == RELU) return y < 0 ? 0 : y;  // -0 and NaN stay
    if (activation == PRELU) return y > 0 ? y : __fmul_rn(y, slope[o]);
    if (activation == RPRELU) {
      float z = __fadd_rn(y, before[o]);
      return __fadd_rn(z > 0 ? z : __fmul_rn(z, slope[o]), after[o]);
    }
    return y;
  }
};

#define PACKED_PARAMETERS                                                                      \
  const float *x, const int *weights, const int *sizes, const float *alpha, const float *mean, \
      const float *scale, const float *shift, const float *slope, const float *before,         \
      const float *after, int activation, int inWidth, int elements, int height, int width,    \
      int channels, int kernel, int stride, int runs, float filterSize, float *floats,         \
      const float *shortcut, int *signs, const float *signShift
#define PACKED_ARGUMENTS                                                                     \
  x, weights, sizes, alpha, mean, scale, shift, slope, before, after, activation, inWidth,   \
      elements, height, width, channels, kernel, stride, runs, filterSize, floats, shortcut, \
      signs, signShift

// A source of weights for one lane; next() is called for k = 0, 1, 2 ...
struct SignWords {
  typedef int Element;
  typedef int Sum;
  const int* at;

  __device__ inline SignWords(const int* weights, const int* sizes, int filter, int o)
      : at(weights + (long long)o / TILE * filter * TILE + o % TILE) {}

  __device__ inline int next() {
    int w = *at;
    at += TILE;
    return w;
  }

  static __device__ inline int add(int x, int w, int sum) { return sum + __popc(x ^ w); }

  static __device__ inline float normalized(int count, float size, const Epilogue& e, int o) {
    float s = fmaf((float)count, -2.0f, size);  // exact
    return e.normalized(__fmul_rn(s, e.alpha[o]), o);
  }
};

struct Chain {
  typedef float Element;
  typedef float Sum;

  static __device__ inline float add(float x, float w, float sum) { return fmaf(x, w, sum); }

  static __device__ inline float normalized(float sum, float size, const Epilogue& e, int o) {
    return e.normalized(sum, o);
  }
};

struct SignWeights : Chain {
  const int* at;
  int size, lane;

  __device__ inline SignWeights(const int* weights, const int* sizes, int filter, int o)
      : at(weights + (long long)o / TILE * filter), size(sizes[o]), lane(o % TILE) {}

  __device__ inline float next() {
    unsigned int bit = (unsigned int)*at++ >> lane & 1;
    return __int_as_float((int)(bit << 31) | size);
  }
};

struct FloatWeights : Chain {
  const float* at;

  __device__ inline FloatWeights(const int* weights, const int* sizes, int filter, int o)
      : at(reinterpret_cast<const float*>(weights) + (long long)o / TILE * filter * TILE +
           o % TILE) {}

  __device__ inline float next() {
    float w = *at;
    at += TILE;
    return w;
  }
};

// filterSize: weights of a filter, as words of signs have more bits than there are channels. runs:
// stretches of elements that lie side by side in a window: its rows, or, for one channel,
// its taps column by column (runs = kernel x kernel).
template <class W>
__device__ inline void packed(unsigned int (&bits)[WARPS * PIXELS][TILE + 1], PACKED_PARAMETERS) {
  typedef typename W::Element Element;
  const Element* in = reinterpret_cast<const Element*>(x);
  int filter = kernel * kernel * elements;
  int run = filter / runs;
  int o = blockIdx.y * TILE + threadIdx.x;
  int first = (blockIdx.x * WARPS + threadIdx.y) * PIXELS;
  int pixels = height * width;
  long long inRow = (long long)(inWidth + 2) * elements;
  long long window[PIXELS];
  typename W::Sum sum[PIXELS];
#pragma unroll
  for (int u = 0; u < PIXELS; u++) {
    int p = first + u < pixels ? first + u : pixels - 1;
    long long h = p / width * stride - kernel / 2 + 1;
    long long w = p % width * stride - kernel / 2 + 1;
    window[u] = h * inRow + w * elements;
    sum[u] = 0;
  }
  W weight(weights, sizes, filter, o);
  for (int r = 0; r < runs; r++) {
    long long start = runs == kernel ? r * inRow : r % kernel * inRow + r / kernel;
    for (int j = 0; j < run; j++) {
      Element w = weight.next();
#pragma unroll
      for (int u = 0; u < PIXELS; u++) sum[u] = W::add(in[window[u] + start + j], w, sum[u]);
    }
  }
  Epilogue epilogue = {alpha, mean, scale, shift, slope, before, after, activation};
#pragma unroll
  for (int u = 0; u < PIXELS; u++) {
    int p = first + u;
    long long place = (long long)(p / width + 1) * (width + 2) + p % width + 1;
    bool there = p < pixels && o < channels;
    float y = W::normalized(sum[u], filterSize, epilogue, o);
    if (shortcut != 0 && there) y = __fadd_rn(y, shortcut[place * channels + o]);
    y = epilogue.activated(y, o);
    if (floats != 0 && there) floats[place * channels + o] = y;
    if (signs == 0) continue;
    float z = signShift == 0 ? y : __fadd_rn(y, signShift[o]);
    bits[threadIdx.y * PIXELS + u][threadIdx.x] = (z < 0 ? 1u : 0u) << threadIdx.x;
  }
  if (signs == 0) return;
  __syncthreads();
  int p = first + threadIdx.x;
  if (threadIdx.x >= PIXELS || p >= pixels) return;
  unsigned int word = 0;
  for (int c = 0; c < TILE; c++) word |= bits[threadIdx.y * PIXELS + threadIdx.x][c];
  long long place = (long long)(p / width + 1) * (width + 2) + p % width + 1;
  signs[place * ((channels + TILE - 1) / TILE) + blockIdx.y] = (int)word;
}

extern "C" __global__ void __launch_bounds__(256) packed_signs(PACKED_PARAMETERS) {
  __shared__ unsigned int bits[WARPS * PIXELS][TILE + 1];
  packed<SignWords>(bits, PACKED_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256) packed_sign_weights(PACKED_PARAMETERS) {
  __shared__ unsigned int bits[WARPS * PIXELS][TILE + 1];
  packed<SignWeights>(bits, PACKED_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256) packed_floats(PACKED_PARAMETERS) {
  __shared__ unsigned int bits[WARPS * PIXELS][TILE + 1];
  packed<FloatWeights>(bits, PACKED_ARGUMENTS);
}

// One thread an element of the plane.
extern "C" __global__ void clear_border(int* plane, int height, int width, int elements) {
  long long i = element();
  long long pixel = i / elements;
  int w = (int)(pixel % (width + 2));
  int h = (int)(pixel / (width + 2));
  if (h > height + 1) return;
  if (h == 0 || h == height + 1 || w == 0 || w == width + 1) plane[i] = 0;
}

// out[c groups + g] = mean, out[(channels + c) groups + g] = sqrt(unbiased variance + floor) of
// channel c over `rows` rows of group g; floor is the bits of a float64. One thread a channel, in
// the order of the pixels, in float64; blocks (channels / 32, groups).
extern "C" __global__ void packed_statistics(
    const float* x, float* out, int rows, int width, int channels, long long floorBits) {
  int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  int g = blockIdx.y;
  long long count = (long long)rows * width;
  double mean = 0;
  double squares = 0;
  for (int pass = 0; pass < 2; pass++) {
    double sum = 0;
    for (int h = g * rows; h < (g + 1) * rows; h++) {
      const float* at = x + ((long long)(h + 1) * (width + 2) + 1) * channels + c;
      for (int w = 0; w < width; w++) {
        double d = __dadd_rn(at[(long long)w * channels], -mean);
        sum = __dadd_rn(sum, pass == 0 ? d : __dmul_rn(d, d));
      }
    }
    if (pass == 0) {
      mean = sum / count;
    } else {
      squares = sum;
    }
  }
  int groups = gridDim.y;
  out[(long long)c * groups + g] = (float)mean;
  out[((long long)channels + c) * groups + g] =
      (float)sqrt(__dadd_rn(squares / (count - 1), __longlong_as_double(floorBits)));
}

// bits: 32 for floats, 8 for whole numbers, 1 for signs. One thread an output; blocks of 32.
extern "C" __global__ void packed_head(
    const float* x, const unsigned char* weights, const float* scale, const float* bias, float* y,
    int in, int out, int bits) {
  int o = blockIdx.x * TILE + threadIdx.x;
  if (o >= out) return;
  const unsigned char* tile = weights + (long long)blockIdx.x * in * (TILE * bits / 8);
  float sum = 0;
  if (bits == 32) {
    const float* w = reinterpret_cast<const float*>(tile) + threadIdx.x;
    for (int i = 0; i < in; i++) sum = fmaf(x[i], w[(long long)i * TILE], sum);
  } else if (bits == 8) {
    const signed char* w = reinterpret_cast<const signed char*>(tile) + threadIdx.x;
    for (int i = 0; i < in; i++) sum = fmaf(x[i], (float)w[(long long)i * TILE], sum);
  } else {
    const unsigned int* w = reinterpret_cast<const unsigned int*>(tile);
    for (int i = 0; i < in; i++) {
      unsigned int sign = (w[i] >> threadIdx.x & 1) << 31;
      sum = __fadd_rn(sum, __int_as_float(__float_as_int(x[i]) ^ (int)sign));
    }
  }
  y[o] = fmaf(sum, scale[o], bias[o]);
}
