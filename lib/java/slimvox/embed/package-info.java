/** From utterances to embeddings. */
package slimvox.embed;
