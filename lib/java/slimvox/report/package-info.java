/** Tables and figures of ledgers, runs and scores, which work without a network. */
package slimvox.report;
