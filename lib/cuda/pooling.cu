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

// A thread's column of a picture of frames x columns; frame w is at(w).
struct Frames {
  int picture, column, columns;
  long long first;

  __device__ inline Frames(int frames, int columns) : columns(columns) {
    picture = (int)(element() / columns);
    column = (int)(element() % columns);
    first = (long long)picture * frames * columns + column;
  }

  __device__ inline long long at(int w) const { return first + (long long)w * columns; }

  // Where the mean of its feature is, of utterances of so many pictures.
  __device__ inline long long feature(int height) const {
    return ((long long)(picture / height) * 2 * columns + column) * height + picture % height;
  }
};

// A picture is a plane (n, h), a column a channel.
extern "C" __global__ void statistics_pooling(
    const float* x, float floor, float* out, int planes, int height, int frames, int channels) {
  Frames of(frames, channels);
  if (of.picture >= planes) return;
  double sum = 0;
  for (int w = 0; w < frames; w++) sum += x[of.at(w)];
  double mean = sum / frames;
  double squares = 0;
  for (int w = 0; w < frames; w++) {
    double d = x[of.at(w)] - mean;
    squares += d * d;
  }
  long long features = (long long)channels * height;
  float* to = out + of.feature(height);
  to[0] = (float)mean;
  to[features] = (float)sqrt(squares / (frames - 1) + floor);  // one frame: 0 / 0, NaN
}

// dx = dmean / W + ddeviation (x - mean) / ((W - 1) deviation).
extern "C" __global__ void statistics_pooling_backward(
    const float* x, const float* out, const float* dout, float* dx, int planes, int height,
    int frames, int channels) {
  Frames of(frames, channels);
  if (of.picture >= planes) return;
  long long features = (long long)channels * height;
  long long at = of.feature(height);
  float mean = out[at];
  float constant = dout[at] / frames;
  float slope = (float)((double)dout[at + features] / ((frames - 1) * (double)out[at + features]));
  for (int w = 0; w < frames; w++) dx[of.at(w)] = fmaf(x[of.at(w)] - mean, slope, constant);
}

// ---- attentive pooling; a picture is an utterance, a column a feature

extern "C" __global__ void softmax_over_frames(
    const float* x, float* y, int batch, int frames, int features) {
  Frames of(frames, features);
  if (of.picture >= batch) return;
  float largest = x[of.first];
  for (int w = 1; w < frames; w++) largest = fmaxf(largest, x[of.at(w)]);
  double sum = 0;
  for (int w = 0; w < frames; w++) {
    long long p = of.at(w);
    float e = expf(x[p] - largest);
    y[p] = e;
    sum += e;
  }
  float factor = (float)(1 / sum);
  for (int w = 0; w < frames; w++) y[of.at(w)] *= factor;
}

extern "C" __global__ void softmax_over_frames_backward(
    const float* y, const float* dy, float* dx, int batch, int frames, int features) {
  Frames of(frames, features);
  if (of.picture >= batch) return;
  double sum = 0;
  for (int w = 0; w < frames; w++) sum += (double)y[of.at(w)] * dy[of.at(w)];
  float mean = (float)sum;
  for (int w = 0; w < frames; w++) dx[of.at(w)] = (dy[of.at(w)] - mean) * y[of.at(w)];
}

// The variance is summed as sum alpha (x - m)^2 + m^2 (1 - sum alpha): the same number without the
// loss of digits.
extern "C" __global__ void weighted_statistics(
    const float* x, const float* alpha, float floor, float* out, int batch, int frames,
    int features) {
  Frames of(frames, features);
  if (of.picture >= batch) return;
  double m = 0;
  double weights = 0;
  for (int w = 0; w < frames; w++) {
    long long p = of.at(w);
    m += (double)alpha[p] * x[p];
    weights += alpha[p];
  }
  double squares = m * m * (1 - weights);
  for (int w = 0; w < frames; w++) {
    long long p = of.at(w);
    double distance = x[p] - m;
    squares += alpha[p] * distance * distance;
  }
  float* to = out + of.feature(1);
  to[0] = (float)m;
  float variance = (float)squares;
  to[features] = sqrtf(variance < floor ? floor : variance);  // a NaN stays one
}

// dalpha = x (dm + dvariance (x - 2 m)), dx = alpha (dm + dvariance (2 x - 2 m)), dvariance =
// ddeviation / (2 deviation), 0 where the floor was taken.
extern "C" __global__ void weighted_statistics_backward(
    const float* x, const float* alpha, const float* out, float floor, const float* dout, float* dx,
    float* dalpha, int batch, int frames, int features) {
  Frames of(frames, features);
  if (of.picture >= batch) return;
  long long at = of.feature(1);
  float twice = 2 * out[at];
  float dm = dout[at];
  float deviation = out[at + features];
  float dvariance = deviation <= sqrtf(floor) ? 0 : dout[at + features] / (2 * deviation);
  for (int w = 0; w < frames; w++) {
    long long p = of.at(w);
    float v = x[p];
    float a = alpha[p];
    dalpha[p] = fmaf(v - twice, dvariance, dm) * v;
    dx[p] = fmaf(2 * v - twice, dvariance, dm) * a;
  }
}
