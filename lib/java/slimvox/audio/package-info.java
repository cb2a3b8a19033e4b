/** Speech in: audio files, Kaldi log-mel features, mean normalization and augmentation. */
package slimvox.audio;
