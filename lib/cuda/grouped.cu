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

// Depthwise, 3x3: both passes, with the nine weights of a channel in registers. Result pixel (h, w)
// reads the source's rows h stride + offset .. + 2. Forward: offset = -pad. Backward, of stride 1:
// offset = pad - 2 and the weights from the last to the first (flipped).
extern "C" __global__ void __launch_bounds__(256) depthwise(
    const float* x, const float* weight, float* y, int pixels, int rowsPerBlock, int height,
    int width, int channels, int outHeight, int outWidth, int stride, int strideWide, int offset,
    int offsetWide, int flipped, int add) {
  int c = column();
  if (c >= channels) return;
  float weights[9];
#pragma unroll
  for (int t = 0; t < 9; t++) weights[t] = weight[9LL * c + (flipped ? 8 - t : t)];
  int end = (int)endRow(rowsPerBlock, pixels);
  for (int p = (int)firstRow(rowsPerBlock); p < end; p += blockDim.y) {
    Pixel to = pixelOf(p, outHeight, outWidth);
    int h0 = to.h * stride + offset;
    int w0 = to.w * strideWide + offsetWide;
    const float* from = x + to.at(h0, w0, height, width) * channels + c;
    float sum = 0;
#pragma unroll
    for (int t = 0; t < 9; t++) {
      // as unsigned numbers, those below 0 are large
      if ((unsigned)(h0 + t / 3) < (unsigned)height && (unsigned)(w0 + t % 3) < (unsigned)width) {
        sum = fmaf(from[((long long)(t / 3) * width + t % 3) * channels], weights[t], sum);
      }
    }
    y[(long long)p * channels + c] = add ? y[(long long)p * channels + c] + sum : sum;
  }
}

// in and out: channels of one group.
extern "C" __global__ void grouped_forward(
    const float* x, const float* weight, float* y, int pixels, int rowsPerBlock, GEOMETRY,
    int add) {
  int o = column();
  if (o >= outChannels) return;
  int end = (int)endRow(rowsPerBlock, pixels);
  const float* w0 = weight + (long long)o * in * kernelHeight * kernelWidth;
  int first = o / out * in;
  for (int p = (int)firstRow(rowsPerBlock); p < end; p += blockDim.y) {
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
  }
}

extern "C" __global__ void grouped_backward_data(
    const float* dy, const float* weight, float* dx, int pixels, int rowsPerBlock, GEOMETRY) {
  int c = column();
  if (c >= channels) return;
  int end = (int)endRow(rowsPerBlock, pixels);
  int taps = kernelHeight * kernelWidth;
  int first = c / in * out;
  const float* w0 = weight + ((long long)first * in + c % in) * taps;
  for (int p = (int)firstRow(rowsPerBlock); p < end; p += blockDim.y) {
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
  }
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
    __syncthreads();
  }
}
