/** What a process of ours takes of the machine's memory, and whether the machine has it. */
@org.jspecify.annotations.NullMarked
package io.leapnbd.tools.memory;
