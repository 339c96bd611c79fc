import express from "express4";
import { listen } from "./express.ts";

listen(express);
