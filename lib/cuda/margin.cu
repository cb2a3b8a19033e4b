// The parts of an additive angular margin loss. CPU twin: slimvox.backend.cpu.kernels.CpuMargin.
//
//   normalize_rows         y = x / max(|x|, 1e-12)
//   dot_rows               out = x . y
//   margin_logits          s phi(cos) in the label's column, s cos elsewhere
//   softmax_cross_entropy  loss = log sum exp(logits) - logits[label]; dlogits = (p - 1hot) / rows
//   largest_in_row         column of the largest element, the first of equals
//
// Launch: a block of 256 threads a row (a power of two, for the tree of sumOfBlock). phi and its
// slope concern one element of a row and are calculated in float64. A label that is no class
// makes the row's loss NaN: a kernel cannot throw.
#include "common.cuh"

#define THREADS 256
#define INFINITE __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fc00000)

// ---- length 1

// x . y of rows, for each thread.
__device__ inline double dot(
    const float* x, const float* y, int columns, double (&scratch)[THREADS]) {
  double sum = 0;
  for (int c = threadIdx.x; c < columns; c += THREADS) sum += (double)x[c] * y[c];
  return sumOfBlock(sum, scratch);
}

extern "C" __global__ void __launch_bounds__(THREADS) normalize_rows(
    const float* x, float* y, float* inverseNorm, int columns) {
  __shared__ double scratch[THREADS];
  const float* in = x + (long long)blockIdx.x * columns;
  float* out = y + (long long)blockIdx.x * columns;
  double norm = sqrt(dot(in, in, columns, scratch));
  float inverse = (float)(1 / (norm < 1e-12 ? 1e-12 : norm));  // a NaN stays one
  for (int c = threadIdx.x; c < columns; c += THREADS) out[c] = in[c] * inverse;
  if (threadIdx.x == 0) inverseNorm[blockIdx.x] = inverse;
}

// dx = (dy - y (y . dy)) inverseNorm
extern "C" __global__ void __launch_bounds__(THREADS) normalize_rows_backward(
    const float* y, const float* inverseNorm, const float* dy, float* dx, int columns) {
  __shared__ double scratch[THREADS];
  long long first = (long long)blockIdx.x * columns;
  float along = (float)dot(y + first, dy + first, columns, scratch);
  float inverse = inverseNorm[blockIdx.x];
  for (int c = threadIdx.x; c < columns; c += THREADS) {
    dx[first + c] = fmaf(-along, y[first + c], dy[first + c]) * inverse;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) dot_rows(
    const float* x, const float* y, float* out, int columns) {
  __shared__ double scratch[THREADS];
  long long first = (long long)blockIdx.x * columns;
  double sum = dot(x + first, y + first, columns, scratch);
  if (threadIdx.x == 0) out[blockIdx.x] = (float)sum;
}

// ---- margin

#define LIMIT (1 - 1e-7)

__device__ inline double clampCosine(double c) {
  return c < -LIMIT ? -LIMIT : c > LIMIT ? LIMIT : c;  // a NaN stays one
}

// Cosine and sine of the margin are calculated in Java and left in device memory: the functions for
// angles of any size need memory of their own for each thread, and the margin changes.
struct Margin {
  double cosine, sine;
  bool easy;

  __device__ inline Margin(const double* angle, int easy)
      : cosine(angle[0]), sine(angle[1]), easy(easy) {}

  __device__ inline bool isApplied(double c) const {
    return c > (easy ? 0 : -cosine);  // cos(pi - m)
  }

  __device__ inline double phi(double cos) const {
    double c = clampCosine(cos);
    if (isApplied(c)) return c * cosine - sqrt(1 - c * c) * sine;
    return easy ? c : c - (1 - cosine);
  }

  // Derivative of phi; 0 outside the clamp.
  __device__ inline double slope(double cos) const {
    double c = clampCosine(cos);
    if (c != cos) return 0;
    if (!isApplied(c)) return 1;
    return cosine + c / sqrt(1 - c * c) * sine;
  }
};

// logits may be cosine: only the thread that has the label's column reads it.
extern "C" __global__ void __launch_bounds__(THREADS, 4) margin_logits(
    const float* cosine, const int* labels, const double* angle, float scale, int easy,
    float* logits, int classes) {
  long long first = (long long)blockIdx.x * classes;
  int label = labels[blockIdx.x];
  Margin margin(angle, easy);
  for (int c = threadIdx.x; c < classes; c += THREADS) {
    float v = cosine[first + c];
    logits[first + c] = c == label ? (float)(scale * margin.phi(v)) : v * scale;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) margin_logits_backward(
    const float* cosine, const int* labels, const double* angle, float scale, int easy,
    const float* dlogits, float* dcosine, int classes) {
  long long first = (long long)blockIdx.x * classes;
  int label = labels[blockIdx.x];
  Margin margin(angle, easy);
  for (int c = threadIdx.x; c < classes; c += THREADS) {
    float d = dlogits[first + c];
    dcosine[first + c] =
        c == label ? (float)(scale * (d * margin.slope(cosine[first + c]))) : d * scale;
  }
}

// ---- cross entropy

// dlogits may be logits: all threads have read what they need of a column before it is written.
extern "C" __global__ void __launch_bounds__(THREADS) softmax_cross_entropy(
    const float* logits, const int* labels, float* loss, float* dlogits, int rows, int classes) {
  __shared__ float scratch[THREADS];
  __shared__ double sums[THREADS];
  long long first = (long long)blockIdx.x * classes;
  const float* in = logits + first;
  float* out = dlogits + first;
  int label = labels[blockIdx.x];
  bool known = label >= 0 && label < classes;
  float target = known ? in[label] : 0;
  float mine = -INFINITE;
  for (int c = threadIdx.x; c < classes; c += THREADS) mine = fmaxf(mine, in[c]);
  // Nobody writes before all have read the target.
  float largest = reduceBlock(mine, scratch, [](float a, float b) { return fmaxf(a, b); });
  double sum = 0;
  for (int c = threadIdx.x; c < classes; c += THREADS) {
    float e = expf(in[c] - largest);
    out[c] = e;
    sum += e;
  }
  sum = sumOfBlock(sum, sums);
  float factor = (float)(1 / (sum * rows));
  for (int c = threadIdx.x; c < classes; c += THREADS) {
    float e = out[c];
    out[c] = c == label ? (float)((e / sum - 1) / rows) : e * factor;
  }
  if (threadIdx.x == 0) {
    loss[blockIdx.x] = known ? (float)(log(sum) + ((double)largest - target)) : NOT_A_NUMBER;
  }
}

struct Largest {
  float value;
  int place;
};

// As the CPU: a NaN is never the largest, unless it is the first of its row.
extern "C" __global__ void __launch_bounds__(THREADS) largest_in_row(
    const float* x, int* index, int columns) {
  __shared__ Largest scratch[THREADS];
  const float* in = x + (long long)blockIdx.x * columns;
  auto larger = [](Largest a, Largest b) {
    return b.value > a.value || (b.value == a.value && b.place < a.place) ? b : a;
  };
  Largest largest = {-INFINITE, 0x7fffffff};
  for (int c = threadIdx.x; c < columns; c += THREADS) largest = larger(largest, {in[c], c});
  largest = reduceBlock(largest, scratch, larger);
  if (threadIdx.x == 0) index[blockIdx.x] = in[0] == in[0] ? largest.place : 0;
}
