// Pooling over frames. CPU twin: slimvox.backend.cpu.kernels.CpuPooling.
//
//   statistics_pooling   x N,H,W,C: out N x 2D = mean, sqrt(sum (x - mean)^2 / (W - 1) + floor)
//   softmax_over_frames  y = exp(x) / sum over W of exp(x), each of D columns of N x W x D
//   weighted_statistics  m = sum alpha x;  sqrt(max(sum alpha x^2 - m^2, floor))
//
// D = C H and feature c H + h as in WeSpeaker. Launch: a thread follows one channel (column) of
// one utterance down the frames; neighbouring threads take neighbouring channels, so each frame is
// one coalesced read. Sums are float64: the data is small and read at most three times.
#include "common.cuh"

// Thread (n, h, c) = element(); x is at ((n H + h) W + w) C + c.
extern "C" __global__ void statistics_pooling(
    const float* x, float floor, float* out, int planes, int height, int frames, int channels) {
  long long i = element();
  if (i >= (long long)planes * channels) return;
  int plane = (int)(i / channels);
  int c = (int)(i % channels);
  const float* in = x + (long long)plane * frames * channels + c;
  double sum = 0;
  for (int w = 0; w < frames; w++) sum += in[(long long)w * channels];
  double mean = sum / frames;
  double squares = 0;
  for (int w = 0; w < frames; w++) {
    double d = in[(long long)w * channels] - mean;
    squares += d * d;
  }
  int n = plane / height;
  int h = plane % height;
  long long features = (long long)channels * height;
  float* to = out + 2 * n * features + (long long)c * height + h;
  to[0] = (float)mean;
  to[features] = (float)sqrt(squares / (frames - 1) + floor);  // one frame: 0 / 0, NaN
}

// dx = dmean / W + ddeviation (x - mean) / ((W - 1) deviation).
extern "C" __global__ void statistics_pooling_backward(
    const float* x, const float* out, const float* dout, float* dx, int planes, int height,
    int frames, int channels) {
  long long i = element();
  if (i >= (long long)planes * channels) return;
  int plane = (int)(i / channels);
  int c = (int)(i % channels);
  int n = plane / height;
  int h = plane % height;
  long long features = (long long)channels * height;
  long long at = 2 * n * features + (long long)c * height + h;
  float mean = out[at];
  float constant = dout[at] / frames;
  float slope = (float)((double)dout[at + features] / ((frames - 1) * (double)out[at + features]));
  long long first = (long long)plane * frames * channels + c;
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * channels;
    dx[p] = fmaf(x[p] - mean, slope, constant);
  }
}

// ---- attentive pooling; thread (n, d) = element(), x is at (n W + w) D + d

extern "C" __global__ void softmax_over_frames(
    const float* x, float* y, int batch, int frames, int features) {
  long long i = element();
  if (i >= (long long)batch * features) return;
  long long first = i / features * frames * features + i % features;
  float largest = x[first];
  for (int w = 1; w < frames; w++) largest = fmaxf(largest, x[first + (long long)w * features]);
  double sum = 0;
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    float e = expf(x[p] - largest);
    y[p] = e;
    sum += e;
  }
  float factor = (float)(1 / sum);
  for (int w = 0; w < frames; w++) y[first + (long long)w * features] *= factor;
}

extern "C" __global__ void softmax_over_frames_backward(
    const float* y, const float* dy, float* dx, int batch, int frames, int features) {
  long long i = element();
  if (i >= (long long)batch * features) return;
  long long first = i / features * frames * features + i % features;
  double sum = 0;
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    sum += (double)y[p] * dy[p];
  }
  float mean = (float)sum;
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    dx[p] = (dy[p] - mean) * y[p];
  }
}

// The variance is summed as sum alpha (x - m)^2 + m^2 (1 - sum alpha): the same number without the
// loss of digits.
extern "C" __global__ void weighted_statistics(
    const float* x, const float* alpha, float floor, float* out, int batch, int frames,
    int features) {
  long long i = element();
  if (i >= (long long)batch * features) return;
  long long n = i / features;
  int d = (int)(i % features);
  long long first = n * frames * features + d;
  double m = 0;
  double weights = 0;
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    m += (double)alpha[p] * x[p];
    weights += alpha[p];
  }
  double squares = m * m * (1 - weights);
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    double distance = x[p] - m;
    squares += alpha[p] * distance * distance;
  }
  float* to = out + 2 * n * features + d;
  to[0] = (float)m;
  float variance = (float)squares;
  to[features] = sqrtf(variance < floor ? floor : variance);  // a NaN stays one
}

// dalpha = x (dm + dvariance (x - 2 m)), dx = alpha (dm + dvariance (2 x - 2 m)), dvariance =
// ddeviation / (2 deviation), 0 where the floor was taken.
extern "C" __global__ void weighted_statistics_backward(
    const float* x, const float* alpha, const float* out, float floor, const float* dout, float* dx,
    float* dalpha, int batch, int frames, int features) {
  long long i = element();
  if (i >= (long long)batch * features) return;
  long long n = i / features;
  int d = (int)(i % features);
  long long first = n * frames * features + d;
  long long at = 2 * n * features + d;
  float twice = 2 * out[at];
  float dm = dout[at];
  float deviation = out[at + features];
  float dvariance = deviation <= sqrtf(floor) ? 0 : dout[at + features] / (2 * deviation);
  for (int w = 0; w < frames; w++) {
    long long p = first + (long long)w * features;
    float v = x[p];
    float a = alpha[p];
    dalpha[p] = fmaf(v - twice, dvariance, dm) * v;
    dx[p] = fmaf(2 * v - twice, dvariance, dm) * a;
  }
}
