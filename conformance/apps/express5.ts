import express from "express";
import { listen } from "./express.ts";

listen(express);
