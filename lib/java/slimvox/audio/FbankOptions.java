package slimvox.audio;

/**
 * Settings of {@link Fbank}.
 *
 * @param sampleRate samples per second of the waveforms, 16000 for the published systems
 * @param window taper applied to each frame
 * @param scale factor applied to samples in [-1, 1] first: 32768 for WeSpeaker, 1 for 3D-Speaker
 * @param bins number of mel filters
 * @param lowHz lower edge of the first filter
 * @param highHz upper edge of the last filter, at most half the sample rate
 * @param dither standard deviation of the Gaussian noise added to every scaled sample of every
 *     frame; 0 for none, as at test time; WeSpeaker trains with 1
 * @param averagedFrames consecutive frames of 10 ms that are averaged into one feature vector; 1
 *     for none. A window every 40 ms would not hear 15 of them, and a mean has less noise
 */
public record FbankOptions(
    int sampleRate,
    Window window,
    float scale,
    int bins,
    double lowHz,
    double highHz,
    float dither,
    int averagedFrames) {

  /** Tapers of length N, symmetric: n runs from 0 to N - 1. */
  public enum Window {
    /** 0.54 - 0.46 cos(2 pi n / (N - 1)). */
    HAMMING,
    /** (0.5 - 0.5 cos(2 pi n / (N - 1)))^0.85, Kaldi's default. */
    POVEY;

    /** The taper's values. */
    float[] values(int length) {
      var values = new float[length];
      for (int n = 0; n < length; n++) {
        double cosine = Math.cos(2 * Math.PI * n / (length - 1));
        boolean povey = this == POVEY;
        values[n] = (float) (povey ? Math.pow(0.5 - 0.5 * cosine, 0.85) : 0.54 - 0.46 * cosine);
      }
      return values;
    }
  }

  public FbankOptions {
    if (sampleRate < 1000 || bins < 1 || !(dither >= 0) || !(scale > 0) || averagedFrames < 1) {
      throw new IllegalArgumentException(
          "sample rate %d, bins %d, dither %s, scale %s, %d averaged frames"
              .formatted(sampleRate, bins, dither, scale, averagedFrames));
    }
    if (!(lowHz >= 0 && lowHz < highHz && highHz <= sampleRate / 2.0)) {
      throw new IllegalArgumentException(
          "mel range %s..%s Hz at %d samples/s".formatted(lowHz, highHz, sampleRate));
    }
  }

  /**
   * What WeSpeaker uses: 16 kHz, Hamming, samples x 32768, 80 bins from 20 to 8000 Hz, no dither.
   */
  public static FbankOptions wespeaker() {
    return new FbankOptions(16000, Window.HAMMING, 32768, 80, 20, 8000, 0, 1);
  }

  /** The same with another number of mel filters. */
  public FbankOptions withBins(int bins) {
    return new FbankOptions(sampleRate, window, scale, bins, lowHz, highHz, dither, averagedFrames);
  }

  /** The same with means of so many consecutive frames. */
  public FbankOptions averaging(int frames) {
    return new FbankOptions(sampleRate, window, scale, bins, lowHz, highHz, dither, frames);
  }

  /** The same with dither. */
  public FbankOptions dithered(float dither) {
    return new FbankOptions(sampleRate, window, scale, bins, lowHz, highHz, dither, averagedFrames);
  }

  /** Samples in a frame: 25 ms. */
  public int frameLength() {
    return sampleRate / 40;
  }

  /** Samples between the starts of two frames, before they are averaged: 10 ms. */
  public int frameShift() {
    return sampleRate / 100;
  }

  /** Transform length: the frame length rounded up to a power of two. */
  public int fftLength() {
    return Math.max(4, Integer.highestOneBit(frameLength() - 1) * 2);
  }
}
