// Operations that only move values. CPU twin: slimvox.backend.cpu.kernels.CpuRearrangement.
//
//   copy_columns    columns of each row, from one width of rows to another (take, put channels)
//   space_to_depth  y[n, h, w, (2 i + j) C + c] = x[n, 2 h + i, 2 w + j, c]; depth_to_space back
//   frames_first    y[n, w, c H + h] = x[n, h, w, c]; frames_first_backward: dx (+)= dy
//
// Launch: blocks of columns x rows, see column() and firstRow() in common.cuh; neighbouring
// threads touch neighbouring addresses on both sides, but for frames_first, where those of one
// side lie a frame apart and the second-level cache has to help: it moves the smallest activation
// of a network, once a step.
#include "common.cuh"

extern "C" __global__ void copy_columns(
    const float* x, int xColumns, float* y, int yColumns, long long rows, int columns,
    int rowsPerBlock) {
  int c = column();
  if (c >= columns) return;
  long long end = endRow(rowsPerBlock, rows);
  for (long long r = firstRow(rowsPerBlock); r < end; r += blockDim.y) {
    y[r * yColumns + c] = x[r * xColumns + c];
  }
}

// A row is half a pixel of the deep side: pixels (2 h + i, 2 w) and (2 h + i, 2 w + 1) of the wide
// side lie side by side, 2 C values.
template <bool TO_DEPTH>
__device__ inline void depth(
    const float* from, float* to, int rows, int deepWidth, int run, int rowsPerBlock) {
  int c = column();
  if (c >= run) return;
  int end = (int)endRow(rowsPerBlock, rows);
  for (int r = (int)firstRow(rowsPerBlock); r < end; r += blockDim.y) {
    int pixel = r / 2;
    int i = r % 2;
    int h = pixel / deepWidth;  // counts through the batch
    int w = pixel % deepWidth;
    long long wide = ((long long)(2 * h + i) * deepWidth + w) * run + c;
    long long deep = (long long)r * run + c;
    if (TO_DEPTH) {
      to[deep] = from[wide];
    } else {
      to[wide] = from[deep];
    }
  }
}

extern "C" __global__ void space_to_depth(
    const float* x, float* y, int rows, int deepWidth, int run, int rowsPerBlock) {
  depth<true>(x, y, rows, deepWidth, run, rowsPerBlock);
}

extern "C" __global__ void depth_to_space(
    const float* y, float* x, int rows, int deepWidth, int run, int rowsPerBlock) {
  depth<false>(y, x, rows, deepWidth, run, rowsPerBlock);
}

// A row is a frame (n, w), a column c H + h.
__device__ inline long long framesLast(int frame, int column, int height, int width, int channels) {
  int n = frame / width;
  int w = frame % width;
  int c = column / height;
  int h = column % height;
  return (((long long)n * height + h) * width + w) * channels + c;
}

extern "C" __global__ void frames_first(
    const float* x, float* y, int frames, int height, int width, int channels, int rowsPerBlock) {
  int columns = height * channels;
  int c = column();
  if (c >= columns) return;
  int end = (int)endRow(rowsPerBlock, frames);
  for (int f = (int)firstRow(rowsPerBlock); f < end; f += blockDim.y) {
    y[(long long)f * columns + c] = x[framesLast(f, c, height, width, channels)];
  }
}

extern "C" __global__ void frames_first_backward(
    const float* dy, float* dx, int frames, int height, int width, int channels, int accumulate,
    int rowsPerBlock) {
  int columns = height * channels;
  int c = column();
  if (c >= columns) return;
  int end = (int)endRow(rowsPerBlock, frames);
  for (int f = (int)firstRow(rowsPerBlock); f < end; f += blockDim.y) {
    long long to = framesLast(f, c, height, width, channels);
    float before = accumulate ? dx[to] : 0;
    dx[to] = before + dy[(long long)f * columns + c];
  }
}
