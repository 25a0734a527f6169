"""Where do passages come from? Indexes in the home folder: how they are made, held against each other, and asked."""
