// Numbers held as codes of one byte with a scale for each block of them, and optimizer steps on
// such state: the rules of optimizer.cu in the same order of operations. CPU twins:
// slimvox.backend.cpu.optim.BlockwiseCodes and CpuOptimizers, whose codes these are to the bit.
//
//   x[i] = value(codes[i]) absmax[i / block]
//   code = nearest(x (1 / absmax)) in whole blocks, nearest(x / absmax) in a shorter last one, with
//   absmax as at least 1e-38, which a shorter last block also stores
//
// In a book that begins with zero a number above zero gets at least code `least`, 1, and an
// infinite absmax counts as the largest float; `least` is 0 otherwise. Adam divides by at least
// |m| leastRoot, and a state whose gradient is 0 is let go; see slimvox.backend.AdamStep.
//
// Launch: 256 threads work on one block of numbers after the other, all of a tensor's in turn; the
// code book and the bounds between its numbers stay in shared memory. State exists as float32 in
// registers only. A thread has one number of a block of 256; of longer blocks it computes its new
// state twice, first for absmax, then for the codes.
#include "common.cuh"

#define THREADS 256
#define CODES 256
#define LEAST_SCALE 1e-38f

struct Book {
  float value[CODES];
  float bound[CODES];  // the largest number that still gets this code
  int least;           // code of a number above zero

  // By all threads of a block.
  __device__ inline void read(const float* values, int least) {
    int c = threadIdx.x;
    if (c == 0) this->least = least;
    value[c] = values[c];
    bound[c] = c + 1 < CODES ? (values[c] + values[c + 1]) / 2 : __int_as_float(0x7f800000);
    __syncthreads();
  }

  // NaN is an end of the book.
  __device__ inline unsigned char nearest(float x) const {
    if (x != x) return __float_as_int(x) < 0 ? 0 : CODES - 1;
    int code = 0;
#pragma unroll
    for (int step = CODES / 2; step > 0; step /= 2) {
      if (x > bound[code + step - 1]) code += step;
    }
    return (unsigned char)code;
  }

  __device__ inline unsigned char code(float x, float share) const {
    unsigned char code = nearest(share);
    return x > 0 && code < least ? least : code;
  }

  __device__ inline float scale(float absmax) const {
    return least && absmax == __int_as_float(0x7f800000) ? __int_as_float(0x7f7fffff) : absmax;
  }

  // The code of x, or the next one nearer to zero if more than 1 / keep of x would come back while
  // the scale keeps more than that of what it was.
  __device__ inline unsigned char released(
      unsigned char code, float x, float scale, float old, float keep) const {
    if (scale > old * keep && fabsf(value[code]) * scale * keep > fabsf(x)) {
      return x > 0 ? code - 1 : code + 1;
    }
    return code;
  }
};

// A block of numbers: where it lies and how its numbers are divided by its scale.
struct Numbers {
  long long first;
  int count;
  bool whole;

  __device__ inline Numbers(int number, int block, long long size) {
    first = (long long)number * block;
    whole = first + block <= size;
    count = whole ? block : (int)(size - first);
  }

  __device__ inline float stored(float absmax) const {
    return whole || !(absmax < LEAST_SCALE) ? absmax : LEAST_SCALE;
  }

  __device__ inline float quotient(float x, float absmax) const {
    float scale = absmax < LEAST_SCALE ? LEAST_SCALE : absmax;
    return whole ? x * (1 / scale) : x / scale;
  }
};

__device__ inline float largerSize(float a, float b) {
  return __int_as_float(max(sizeOf(a), sizeOf(b)));
}

__device__ inline float largestSize(float x, int (&scratch)[THREADS]) {
  return __int_as_float(largestOfBlock(sizeOf(x), scratch));
}

extern "C" __global__ void __launch_bounds__(THREADS) quantize(
    const float* x, const float* values, unsigned char* codes, float* absmax, int least,
    long long size, int block, int blocks) {
  __shared__ Book book;
  __shared__ int scratch[THREADS];
  book.read(values, least);
  for (int number = blockIdx.x; number < blocks; number += gridDim.x) {
    Numbers n(number, block, size);
    float largest = 0;
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      largest = largerSize(largest, x[n.first + i]);
    }
    largest = book.scale(largestSize(largest, scratch));
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      float number = x[n.first + i];
      codes[n.first + i] = book.code(number, n.quotient(number, largest));
    }
    if (threadIdx.x == 0) absmax[number] = n.stored(largest);
  }
}

// ---- SGD; see sgd_momentum in optimizer.cu

// Tensors: gradient, parameter, codes, absmax.
extern "C" __global__ void __launch_bounds__(THREADS) sgd_quantized(
    const __grid_constant__ Tensors all, const float* values, const SgdNumbers* numbers,
    int block) {
  __shared__ Book book;
  __shared__ int scratch[THREADS];
  book.read(values, 0);
  SgdNumbers a = *numbers;
  Part part(all);
  const float* gradient = part.at(0);
  float* parameter = part.at(1);
  unsigned char* codes = part.at<unsigned char>(2);
  float* absmax = part.at(3);
  for (int number = part.block; (long long)number * block < part.size(); number += part.blocks) {
    Numbers n(number, block, part.size());
    float old = absmax[number];
    float p = 0, d = 0, moved = 0;
    auto step = [&](long long at) {
      p = parameter[at];
      d = fmaf(p, a.decay, gradient[at]);
      moved = a.first ? d : fmaf(d, a.fresh, book.value[codes[at]] * old * a.momentum);
    };
    float largest = 0;
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      step(n.first + i);
      largest = largerSize(largest, moved);
    }
    largest = largestSize(largest, scratch);
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      long long at = n.first + i;
      if (n.count > THREADS) step(at);
      parameter[at] = fmaf(fmaf(moved, a.bPart, d * a.gPart), a.rate, p);
      unsigned char code = book.nearest(n.quotient(moved, largest));
      if (gradient[at] == 0) code = book.released(code, moved, n.stored(largest), old, a.keep);
      codes[at] = code;
    }
    if (threadIdx.x == 0) absmax[number] = n.stored(largest);
  }
}

// ---- Adam; see adam in optimizer.cu

// One number's moments and its parameter after the step.
struct Moved {
  float p, mean, square;

  __device__ inline void step(
      const AdamNumbers& a, float g, float w, float oldMean, float oldSquare) {
    float d = fmaf(w, a.add, g);
    mean = fmaf(d - oldMean, a.fresh1, oldMean);
    square = fmaf(d * d, a.fresh2, oldSquare * a.beta2);
    float root = fmaf(sqrtf(square), a.correction, a.epsilon);
    p = fmaf(mean / largerSize(root, mean * a.leastRoot), a.rate, w * a.keep);
  }
};

// Tensors: gradient, parameter, codes and absmax of the mean, then of the square.
extern "C" __global__ void __launch_bounds__(THREADS) adam_quantized(
    const __grid_constant__ Tensors all, const float* meanValues, const float* squareValues,
    const AdamNumbers* numbers, float release, int least, int block) {
  __shared__ Book meanBook;
  __shared__ Book squareBook;
  __shared__ int scratch[THREADS];
  meanBook.read(meanValues, 0);
  squareBook.read(squareValues, least);
  AdamNumbers a = *numbers;
  Part part(all);
  const float* gradient = part.at(0);
  float* parameter = part.at(1);
  unsigned char* meanCodes = part.at<unsigned char>(2);
  float* meanAbsmax = part.at(3);
  unsigned char* squareCodes = part.at<unsigned char>(4);
  float* squareAbsmax = part.at(5);
  for (int number = part.block; (long long)number * block < part.size(); number += part.blocks) {
    Numbers n(number, block, part.size());
    float oldMean = meanAbsmax[number];
    float oldSquare = squareAbsmax[number];
    Moved moved = {0, 0, 0};
    auto step = [&](long long at) {
      moved.step(
          a, gradient[at], parameter[at], meanBook.value[meanCodes[at]] * oldMean,
          squareBook.value[squareCodes[at]] * oldSquare);
    };
    float largestMean = 0;
    float largestSquare = 0;
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      step(n.first + i);
      largestMean = largerSize(largestMean, moved.mean);
      largestSquare = largerSize(largestSquare, moved.square);
    }
    largestMean = largestSize(largestMean, scratch);
    largestSquare = squareBook.scale(largestSize(largestSquare, scratch));
    for (int i = threadIdx.x; i < n.count; i += THREADS) {
      long long at = n.first + i;
      if (n.count > THREADS) step(at);
      parameter[at] = moved.p;
      unsigned char code = meanBook.nearest(n.quotient(moved.mean, largestMean));
      if (gradient[at] == 0) {
        code = meanBook.released(code, moved.mean, n.stored(largestMean), oldMean, release);
      }
      meanCodes[at] = code;
      squareCodes[at] = squareBook.code(moved.square, n.quotient(moved.square, largestSquare));
    }
    if (threadIdx.x == 0) {
      meanAbsmax[number] = n.stored(largestMean);
      squareAbsmax[number] = n.stored(largestSquare);
    }
  }
}
