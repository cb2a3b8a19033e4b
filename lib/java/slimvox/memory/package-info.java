/**
 * The account of every byte: {@link slimvox.memory.MemoryLedger} by category and over time, {@link
 * slimvox.memory.ArenaPlan} which turns the timeline of a step into fixed offsets in one block.
 */
package slimvox.memory;
