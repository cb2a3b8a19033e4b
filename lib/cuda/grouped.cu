// Convolutions in groups, above all depthwise ones (as many groups as channels), where a matrix
// product has nothing to multiply: each pass reads its tensors about once, so memory sets the
// speed.
//
//   forward          y[n, h, w, o] = sum over taps, i of x[n, h s - p + kh, ., g I + i] W[o, i, .]
//   backward data    dx[n, h, w, g I + i] = sum over taps and o of the group, dy W
//   backward weight  dW[o, i, kh, kw] = sum over pixels of dy[..., o] x[..., g I + i]
//
// I = input channels of a group, g = o / (output channels of a group). Launch: threads along x take
// channels, so reads of a pixel are coalesced; along y pixels along the width, whose taps overlap
// and are found in the first-level cache. Blocks (pixels / 8, channels / 32).
#include "common.cuh"

#define GEOMETRY                                                                                   \
  int height, int width, int channels, int outHeight, int outWidth, int outChannels,               \
      int kernelHeight, int kernelWidth, int stride, int strideWide, int pad, int padWide, int in, \
      int out

// in and out: channels of one group.
extern "C" __global__ void grouped_forward(
    const float* x, const float* weight, float* y, int pixels, int rowsPerBlock, GEOMETRY,
    int add) {
  forEach(pixels, outChannels, rowsPerBlock, 0, [=](int p, int o, float) {
    const float* w0 = weight + (long long)o * in * kernelHeight * kernelWidth;
    int first = o / out * in;
    Pixel to = pixelOf(p, outHeight, outWidth);
    float sum = 0;
    for (int kh = 0; kh < kernelHeight; kh++) {
      int h = to.h * stride - pad + kh;
      if (h < 0 || h >= height) continue;
      for (int kw = 0; kw < kernelWidth; kw++) {
        int w = to.w * strideWide - padWide + kw;
        if (w < 0 || w >= width) continue;
        const float* from = x + to.at(h, w, height, width) * channels + first;
        for (int i = 0; i < in; i++) {
          sum = fmaf(from[i], w0[(i * kernelHeight + kh) * kernelWidth + kw], sum);
        }
      }
    }
    y[(long long)p * outChannels + o] = add ? y[(long long)p * outChannels + o] + sum : sum;
  });
}

extern "C" __global__ void grouped_backward_data(
    const float* dy, const float* weight, float* dx, int pixels, int rowsPerBlock, GEOMETRY) {
  forEach(pixels, channels, rowsPerBlock, 0, [=](int p, int c, float) {
    int taps = kernelHeight * kernelWidth;
    int first = c / in * out;
    const float* w0 = weight + ((long long)first * in + c % in) * taps;
    Pixel to = pixelOf(p, height, width);
    float sum = 0;
    for (int kh = 0; kh < kernelHeight; kh++) {
      int high = to.h + pad - kh;
      if (high < 0 || high % stride != 0 || high / stride >= outHeight) continue;
      for (int kw = 0; kw < kernelWidth; kw++) {
        int wide = to.w + padWide - kw;
        if (wide < 0 || wide % strideWide != 0 || wide / strideWide >= outWidth) continue;
        long long pixel = to.at(high / stride, wide / strideWide, outHeight, outWidth);
        const float* from = dy + pixel * outChannels + first;
        for (int o = 0; o < out; o++) {
          sum = fmaf(from[o], w0[(long long)o * in * taps + kh * kernelWidth + kw], sum);
        }
      }
    }
    dx[(long long)p * channels + c] = sum;
  });
}

// A thread adds up to 9 of the (tap, i) of its output channel over its pixels, blockIdx.z says
// which; the block's threads of one channel are added in a tree, and partial[chunk][tap][i][o] in
// order by sum_weight_splits. With 3x3 depthwise weights dy and x are read once.
#define SUMS 9

extern "C" __global__ void __launch_bounds__(256) grouped_backward_weight(
    const float* x, const float* dy, float* partial, int pixels, int rowsPerChunk, GEOMETRY) {
  __shared__ float all[256];
  int o = column();
  int end = (int)endRow(rowsPerChunk, pixels);
  int taps = kernelHeight * kernelWidth;
  int first = blockIdx.z * SUMS;
  float sums[SUMS];
#pragma unroll
  for (int u = 0; u < SUMS; u++) sums[u] = 0;
  if (o < outChannels) {
    int group = o / out * in;
    for (int p = (int)firstRow(rowsPerChunk); p < end; p += blockDim.y) {
      Pixel from = pixelOf(p, outHeight, outWidth);
      float d = dy[(long long)p * outChannels + o];
#pragma unroll
      for (int u = 0; u < SUMS; u++) {
        int tap = (first + u) / in;
        int h = from.h * stride - pad + tap / kernelWidth;
        int w = from.w * strideWide - padWide + tap % kernelWidth;
        if (tap < taps && h >= 0 && h < height && w >= 0 && w < width) {
          long long at = from.at(h, w, height, width) * channels + group;
          sums[u] = fmaf(x[at + (first + u) % in], d, sums[u]);
        }
      }
    }
  }
#pragma unroll
  for (int u = 0; u < SUMS; u++) {
    float sum = sumOverRows(all, sums[u]);
    if (threadIdx.y == 0 && o < outChannels && first + u < taps * in) {
      partial[((long long)blockIdx.x * taps * in + first + u) * outChannels + o] = sum;
    }
  }
}

// ---- depthwise or of one channel (ONE), 3x3, results a multiple of four, stride 1 along the width
//
// A thread takes four channels and walks along a strip, part of one row of the result. The nine
// quads under the window stay in registers: a pixel needs three loads of 16 bytes, a store, 36
// multiply-adds and no division. Result row h reads the source's h stride + offset .. + 2; offset =
// -pad, and pad - 2 with flipped weights for the gradient of the data. NORMALIZED reads act(BN(x)),
// a tensor that nobody has to write. Launch: threads along x take quads of channels, along y
// strips; 256 in all.

typedef float Window[3][3][4];  // column modulo 3, row, channel
#define STRIP                                                                                   \
  int stripsOfRow, int length, int height, int width, int channels, int outHeight, int outWidth, \
      int stride, int offset, int offsetWide, CHANNELS
#define FORWARD \
  const float *x, const float *weight, float *y, int strips, STRIP, int flipped, int add
#define WEIGHT const float *x, const float *dy, float *partial, int strips, int stripsOfBlock, STRIP
#define STRIP_ARGUMENTS                                                                          \
  stripsOfRow, length, height, width, channels, outHeight, outWidth, stride, offset, offsetWide, \
      CHANNELS_ARGUMENTS

enum Source { PLAIN, ONE, NORMALIZED };

// f(at, u, i) for each pixel of a strip: its first channel is number i of the result, tap t of its
// window at[(u + t % 3) % 3][t / 3].
template <Source S, class F>
__device__ inline void walkStrip(const float* x, int strip, int c, STRIP, F f) {
  int row = strip / stripsOfRow;
  int first = strip % stripsOfRow * length;
  int end = first + length < outWidth ? first + length : outWidth;
  int h = row % outHeight * stride + offset;
  int w = first + offsetWide;
  int in = S == ONE ? 1 : channels;
  const float* from = x + (((long long)(row / outHeight) * height + h) * width + w) * in;
  if (S != ONE) from += c;
  long long to = ((long long)row * outWidth + first) * channels + c;
  int down = width * in;
  bool there[3];
  for (int r = 0; r < 3; r++) there[r] = (unsigned)(h + r) < (unsigned)height;
  Normalization<4> normalization;
  if (S == NORMALIZED) normalization.read(c, CHANNELS_ARGUMENTS);
  Window at;
  auto read = [&](int column) {
#pragma unroll
    for (int r = 0; r < 3; r++) {
      for (int j = 0; j < 4; j++) at[column][r][j] = 0;
      if ((unsigned)w >= (unsigned)width || !there[r]) continue;
      if (S != ONE) load<4>(from + r * down, at[column][r]);
      for (int j = 0; j < 4; j++) {
        float& v = at[column][r][j];
        if (S == ONE) v = from[r * down];
        if (S == NORMALIZED) v = rectified(normalization.of(j, v));
      }
    }
    from += in;
    w++;
  };
  read(0);
  read(1);
  // Three pixels a turn: the columns' registers take turns instead of being moved.
  for (int p = first; p < end; p += 3) {
#pragma unroll
    for (int u = 0; u < 3; u++) {
      if (p + u < end) {
        read((u + 2) % 3);
        f(at, u, to);
        to += channels;
      }
    }
  }
}

template <Source S>
__device__ inline void forwardStrips(FORWARD) {
  int c = 4 * column();
  int strip = blockIdx.x * blockDim.y + threadIdx.y;
  if (c >= channels || strip >= strips) return;
  float weights[9][4];
#pragma unroll
  for (int t = 0; t < 9; t++) {
    for (int j = 0; j < 4; j++) weights[t][j] = weight[9LL * (c + j) + (flipped ? 8 - t : t)];
  }
  walkStrip<S>(x, strip, c, STRIP_ARGUMENTS, [&](const Window& at, int u, long long to) {
    float sum[4] = {}, before[4];
#pragma unroll
    for (int t = 0; t < 9; t++) {
      const float(&x)[4] = at[(u + t % 3) % 3][t / 3];
      for (int j = 0; j < 4; j++) sum[j] = fmaf(x[j], weights[t][j], sum[j]);
    }
    if (add) {
      load<4>(y + to, before);
      for (int j = 0; j < 4; j++) sum[j] = before[j] + sum[j];
    }
    store<4>(y + to, sum);
  });
}

extern "C" __global__ void __launch_bounds__(256, 2) depthwise_strips(FORWARD) {
  forwardStrips<PLAIN>(x, weight, y, strips, STRIP_ARGUMENTS, flipped, add);
}

extern "C" __global__ void __launch_bounds__(256, 2) depthwise_strips_normalized(FORWARD) {
  forwardStrips<NORMALIZED>(x, weight, y, strips, STRIP_ARGUMENTS, flipped, add);
}

extern "C" __global__ void __launch_bounds__(256, 2) one_channel_strips(FORWARD) {
  forwardStrips<ONE>(x, weight, y, strips, STRIP_ARGUMENTS, flipped, add);
}

// partial[block][tap][o] as grouped_backward_weight's; a block walks stripsOfBlock strips.
template <Source S>
__device__ inline void weightStrips(WEIGHT) {
  __shared__ float all[256];
  int c = 4 * column();
  int end = c < channels ? (int)endRow(stripsOfBlock, strips) : 0;
  float sums[9][4] = {};
  for (int strip = (int)firstRow(stripsOfBlock); strip < end; strip += blockDim.y) {
    walkStrip<S>(x, strip, c, STRIP_ARGUMENTS, [&](const Window& at, int u, long long from) {
      float d[4];
      load<4>(dy + from, d);
#pragma unroll
      for (int t = 0; t < 9; t++) {
        const float(&x)[4] = at[(u + t % 3) % 3][t / 3];
        for (int j = 0; j < 4; j++) sums[t][j] = fmaf(x[j], d[j], sums[t][j]);
      }
    });
  }
#pragma unroll
  for (int t = 0; t < 9; t++) {
    for (int j = 0; j < 4; j++) {
      float sum = sumOverRows(all, sums[t][j]);
      if (threadIdx.y == 0 && c < channels) {
        partial[((long long)blockIdx.x * 9 + t) * channels + c + j] = sum;
      }
    }
  }
}

extern "C" __global__ void __launch_bounds__(256, 2) depthwise_strips_weight(WEIGHT) {
  weightStrips<PLAIN>(x, dy, partial, strips, stripsOfBlock, STRIP_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) depthwise_strips_normalized_weight(WEIGHT) {
  weightStrips<NORMALIZED>(x, dy, partial, strips, stripsOfBlock, STRIP_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(256, 2) one_channel_strips_weight(WEIGHT) {
  weightStrips<ONE>(x, dy, partial, strips, stripsOfBlock, STRIP_ARGUMENTS);
}
